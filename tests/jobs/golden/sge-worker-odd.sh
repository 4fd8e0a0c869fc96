#!/bin/bash

#$ -N vip-0123abc-worker
#$ -S /bin/bash
#$ -V
#$ -j y
#$ -o /dev/null
#$ -l h_rt=5430
#$ -r n
#$ -A a;b|c&d$(touch)%j
#$ -pe smp 2
#$ -l h_vmem=1908M
cd -- '/odd $(touch x) `y` '"'"'single'"'"' "double" %j $HOME \t #c ü;&|*~/workers' || exit 1
exec </dev/null >>"$JOB_ID.log" 2>&1 || exit 1
source /etc/profile.d/modules.sh
	export A='b c'
module load 'a b; touch x' || exit 1
'/opt/my python/bin/python' -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name WORKER --nthreads 1 --memory-limit 1.86GiB --nworkers 2 --nanny --death-timeout 60 --local-directory '/scratch/$USER name' --lifetime 4779s --lifetime-stagger 531s --dashboard-address 127.0.0.1:0 --interface 'ib 0'
