#!/bin/bash

#SBATCH --job-name=vip-0123abc-worker
#SBATCH --output=/dev/null
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=3815M
#SBATCH --nodes=1
#SBATCH --time=91
#SBATCH --no-requeue
#SBATCH --partition=long
#SBATCH --account=geo
#SBATCH -x one
cd -- /scratch/run/workers || exit 1
exec </dev/null >>"$SLURM_JOB_ID.log" 2>&1 || exit 1
module load gcc/12 || exit 1
module load openmpi || exit 1
'/opt/my python/bin/python' -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name WORKER --nthreads 1 --memory-limit 1.86GiB --nworkers 2 --nanny --death-timeout 60 --lifetime 4779s --lifetime-stagger 531s --dashboard-address 127.0.0.1:0
