#!/bin/bash
#$ -N vip-0123abc
#$ -S /bin/bash
#$ -V
#$ -j y
#$ -o /dev/null
#$ -l h_rt=5430
#$ -notify
#$ -r y
#$ -q long
#$ -A geo
#$ -x one

cd -- /scratch/run || exit 1
exec </dev/null >>job.log 2>&1 || exit 1
module load gcc/12 || exit 1
module load openmpi || exit 1

command=(/usr/bin/python3 -m vip resume /scratch/run)
job=$JOB_ID
warning=5310
limit=5410
patience=120
save=TERM
requeue() { exit 99; }

set +eu  # whatever the prologue wants
signalled= warned= cancelled= watchers=
say() { echo "$(date '+%F %T') job $job: $*"; }
pass_on() {
    signalled=1
    kill -s "$1" "$driver" 2>/dev/null
}
later() {  # sends a signal to a process; Grid Engine signals the whole group, so this ignores what is meant for the script
    (
        trap 'kill "$!"' TERM  # ends the sleep too
        trap '' USR1 USR2
        sleep "$1" &
        wait "$!" && kill -s "$2" "$3"
    ) 2>/dev/null &
    watchers="$watchers $!"
}
trap 'warned=1; say "warned of the walltime"; pass_on USR1' USR1
trap 'cancelled=1; say "cancelled"; pass_on "$save"; later "$patience" KILL "$driver"' TERM USR2

say "starts on $HOSTNAME"
(trap '' USR2; exec "${command[@]}") &  # Grid Engine's SIGUSR2, here turned into $save, would end it at once
driver=$!
later $((limit - SECONDS)) KILL "$driver"
[ -z "$warning" ] || later $((warning - SECONDS)) USR1 $$

wait "$driver"
code=$?
while [ "$signalled" ]; do  # a signal interrupts wait; to wait again for the same process gives the same code
    signalled=
    wait "$driver"
    code=$?
done
trap '' USR1 USR2 TERM
kill $watchers 2>/dev/null

again=
case $code in
    75) again=1 ;;  # was warned, has saved itself, is not complete
    137) [ "$SECONDS" -lt "$limit" ] || again=1 ;;  # killed above; before the limit it was not us: its memory, perhaps
    138) again=$warned ;;  # was warned before it could listen
esac
if [ "$cancelled" ] && [ "$again" ]; then
    again=
    code=143
fi
say "ended with code $code${again:+, goes back into the queue}"
[ -z "$again" ] || requeue
exit "$code"
