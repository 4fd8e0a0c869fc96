#!/bin/bash
#SBATCH --job-name=vip-0123abc
#SBATCH --output=/dev/null
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=3815M
#SBATCH --nodes=1
#SBATCH --time=91
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --account="a;b|c&d$(touch)%j"

cd -- '/odd $(touch x) `y` '"'"'single'"'"' "double" %j $HOME \t #c ü;&|*~' || exit 1
exec </dev/null >>job.log 2>&1 || exit 1
source /etc/profile.d/modules.sh
	export A='b c'
module load 'a b; touch x' || exit 1

command=(/usr/bin/python3 -m vip resume '/odd $(touch x) `y` '"'"'single'"'"' "double" %j $HOME \t #c ü;&|*~')
job=$SLURM_JOB_ID
warning=
limit=5440
patience=120
save=TERM
requeue() { scontrol requeue "$job" && exit 0; }

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
