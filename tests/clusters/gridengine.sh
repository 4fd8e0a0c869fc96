#!/usr/bin/env bash
# A real Grid Engine of one node for the tests: tests/clusters/gridengine.sh start|stop|status
#
# For Debian 12 (untried on its relatives), on a machine or in a container that may be changed: installs the packages where they
# are not, and sets up a queue all.q of eight slots with a parallel environment smp. `start` and `stop` need root and may be
# repeated. `start` puts a line into /etc/hosts, `stop` takes it out; packages and settings stay.
# `status` exits with 0 when a job can be submitted. Who submits: export SGE_ROOT=/var/lib/gridengine SGE_CELL=default
set -euo pipefail
. "$(dirname "$0")/common.sh"

export SGE_ROOT=/var/lib/gridengine SGE_CELL=default SGE_SINGLE_LINE=1
host=$(hostname -s)
spool=/var/spool/gridengine
LOGS="$spool/qmaster/messages and $spool/execd/$host/messages"
QMASTER=(sge_qmaster $spool/qmaster/qmaster.pid)
EXECD=(sge_execd /run/gridengine/execd.pid)

# Grid Engine refuses whoever calls itself by one name and comes from the address of another. Here everybody comes from
# 127.0.0.1, which is localhost at most places; by a line above all others it is this host. The file is written over and not
# replaced, since containers have it mounted.
mark="# by tests/clusters/gridengine.sh"

name_loopback() {
    [[ $(getent hosts 127.0.0.1) =~ ^127\.0\.0\.1\ +"$host"(\ |$) ]] || hosts "127.0.0.1 $host localhost $mark"
}

# hosts [LINE]: write /etc/hosts with this line of ours, or none.
hosts() {
    local others
    others=$(grep -vF "$mark" /etc/hosts || true)
    printf '%s\n' "$@" "$others" >/etc/hosts
}

# changed KEY=VALUE...: the configuration on standard input with other values.
changed() {
    local change commands=()
    for change; do commands+=(-e "s|^${change%%=*} .*|${change%%=*} ${change#*=}|"); done
    sed "${commands[@]}"
}

# change WHAT FILE: what stands in the file replaces what is set (conf: in general, sconf: for the scheduler; p: a parallel
# environment, q: a queue).
change() {
    local said
    said=$(qconf "-M$1" "$2" 2>&1) || fail "qconf -M$1 $2: $said"
}

# add WHAT FILE: the same where there may be none yet.
add() {
    qconf "-A$1" "$2" >/dev/null 2>&1 || change "$1" "$2"
}

configure() ( # in a shell of its own, which is in a folder of its own
    made=$(mktemp -d)
    trap 'rm -r "$made"' EXIT
    cd "$made"
    # Root may submit, jobs start within a second, and a job that ended is noticed within five.
    qconf -sconf global | changed min_uid=0 min_gid=0 load_report_time=0:0:5 >global
    qconf -ssconf | changed schedule_interval=0:0:1 >scheduler
    change conf global
    change sconf scheduler
    cat >smp <<'PE'
pe_name            smp
slots              64
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    $pe_slots
control_slaves     FALSE
job_is_first_task  TRUE
urgency_slots      min
accounting_summary FALSE
qsort_args         NONE
PE
    add p smp
    # Without threshold, since a loaded machine shall start jobs too. `qconf -sq` without a name shows the standard settings.
    qconf -sq | changed qname=all.q hostlist="$host" load_thresholds=NONE pe_list=smp slots=8 shell=/bin/bash >all.q
    add q all.q
)

answers() {
    timeout 10 qconf -sh >/dev/null 2>&1
}

start() {
    name_loopback
    if command -v debconf-set-selections >/dev/null; then # what the packages ask when they are installed
        debconf-set-selections <<ANSWERS
gridengine-master shared/gridengineconfig boolean true
gridengine-master shared/gridenginecell string default
gridengine-master shared/gridenginemaster string $host
ANSWERS
    fi
    need sge_qmaster gridengine-master gridengine-exec gridengine-client
    mkdir -p /run/gridengine $spool/execd
    chown sgeadmin:sgeadmin /run/gridengine $spool/execd
    echo "$host" >$SGE_ROOT/$SGE_CELL/common/act_qmaster
    launch "${QMASTER[@]}" sge_qmaster
    wait_for 30 answers || fail "sge_qmaster does not answer; look into $LOGS"
    for list in h s; do qconf -a$list "$host" >/dev/null 2>&1 || true; done # may administer and submit; refused the second time
    qconf -am root >/dev/null 2>&1 || true
    configure
    launch "${EXECD[@]}" env "SGE_EXECD_PIDFILE=${EXECD[1]}" sge_execd
    qmod -c '*' >/dev/null 2>&1 || true # errors of jobs before
}

stop() {
    end "${EXECD[@]}"
    end "${QMASTER[@]}"
    hosts
}

# The line of a queue ends with what is the matter with it, else with the node's architecture, which is -NA- if nobody knows it.
ready() {
    timeout 10 qstat -f -q all.q 2>/dev/null | grep -qE "^all\.q@.* [a-z]+-[a-z0-9]+ *$"
}

main "$@"
