#!/usr/bin/env bash
# A real SLURM of one node for the tests: tests/clusters/slurm.sh start|stop|status
#
# For Debian 12 (untried on its relatives), on a machine or in a container that may be changed: installs the packages where they
# are not, and writes /etc/slurm/slurm.conf. `start` and `stop` need root and may be repeated; `stop` leaves the packages, the
# configuration, and munged, which vouches for users. `status` exits with 0 when a job can be submitted.
set -euo pipefail
. "$(dirname "$0")/common.sh"

host=$(hostname -s)
conf=/etc/slurm/slurm.conf
LOGS="/var/log/slurm/slurmctld.log and slurmd.log"

configure() {
    if [ -f $conf ] && ! grep -qx "ClusterName=test" $conf; then
        fail "$conf is of a cluster that is not for tests: it is left alone"
    fi
    mkdir -p /etc/slurm /var/log/slurm /var/spool/slurmctld /var/spool/slurmd
    # Eight cores are promised whatever the machine has (config_overrides), so that several jobs run at once on a small one.
    # Processes are followed by their parents, since a container seldom lets cgroups be made.
    cat >$conf <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=16000
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE
CONF
}

start() {
    need slurmctld slurmctld slurmd slurm-client munge
    configure
    mkdir -p /run/munge && chown munge:munge /run/munge
    launch munged /run/munge/munged.pid su -s /bin/sh munge -c "munged --force" # over the socket of one that was killed
    launch slurmctld /run/slurmctld.pid slurmctld
    launch slurmd /run/slurmd.pid slurmd
}

stop() {
    end slurmd /run/slurmd.pid
    end slurmctld /run/slurmctld.pid
}

# Idle, mixed or allocated; a star after it would say that the node does not answer.
ready() {
    timeout 10 sinfo --noheader --format=%T 2>/dev/null | grep -qxE "idle|mixed|allocated"
}

main "$@"
