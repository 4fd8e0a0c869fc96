#!/bin/bash

#$ -N vip-0123abc-worker
#$ -S /bin/bash
#$ -V
#$ -j y
#$ -o /dev/null
#$ -l h_rt=5430
#$ -r n
#$ -q long
#$ -A geo
#$ -pe smp 2
#$ -x one
cd -- /scratch/run/workers || exit 1
exec </dev/null >>"$JOB_ID.log" 2>&1 || exit 1
module load gcc/12 || exit 1
module load openmpi || exit 1
'/opt/my python/bin/python' -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name WORKER --nthreads 1 --memory-limit 1.86GiB --nworkers 2 --nanny --death-timeout 60 --lifetime 4779s --lifetime-stagger 531s --dashboard-address 127.0.0.1:0
