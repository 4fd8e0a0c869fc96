"""The part that the scripts of all schedulers share: everything below the scheduler's own directives.

Values are quoted for the shell one by one, so that a run directory or a command may hold anything but control characters: a
line break inside quotes would be harmless to the shell, but ``#$`` behind it would be a directive to Grid Engine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from vip.errors import ConfigError
from vip.jobs.amounts import one_line
from vip.jobs.site import Site

LONGEST_MARGIN = 20
"""Longest time before the walltime at which a driver is killed, so that its job can still be requeued (s)."""

DRIVER = r"""
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
"""
"""Runs `command`, passes signals on to it, and requeues the job if it has to go on. Above it, the script sets

- `command`, an array;
- `job`, the job's id;
- `warning`, when the driver is warned of the walltime (s from the start of the script), or nothing where the scheduler warns;
- `limit`, when the driver is killed if it did not listen to the warning (s from the start of the script);
- `patience`, how long it has to save itself when the job is cancelled (s);
- `save`, the signal that asks for that;
- `requeue`, a function that puts the job back into the queue and ends the script.
"""


class Dialect(NamedTuple):
    """Parts of a script that differ from scheduler to scheduler.

    Attributes
    ----------
    job_id : str
        Shell variable with the job's id.
    requeue : str
        Shell commands that put the job back into the queue, and end the script.
    warns : bool
        Whether the scheduler itself warns of the walltime.
    """

    job_id: str
    requeue: str
    warns: bool


def checked_name(name: str) -> str:
    """The name, if all schedulers accept it."""
    if not re.fullmatch("[a-z][a-z0-9-]*", name):
        raise ConfigError("name", name, "must be a letter, then letters, digits and -, all lower case")
    return name


def quoted(words: Iterable[str], key: str = "command") -> str:
    """Words of a shell command, quoted."""
    return " ".join(shlex.quote(one_line(word, key)) for word in words)


def opening(directory: Path, log: str, site: Site) -> str:
    """Lines that go to a directory, send output to a file in it, and set up what the site's programs need.

    The shell sends it, since schedulers take ``%`` or ``$`` in the name of an output file for their own.

    Parameters
    ----------
    directory : Path
        Directory, absolute.
    log : str
        File name, as a word of the shell.
    site : Site
        Gives the prologue, then the modules, so that a prologue can define ``module``.
    """
    lines = [
        f"cd -- {quoted([str(directory)], 'run directory')} || exit 1",
        f"exec </dev/null >>{log} 2>&1 || exit 1",
        *site.prologue,
        *(f"module load {shlex.quote(module)} || exit 1" for module in site.modules),
    ]
    return "\n".join(lines)


def driver_body(command: Sequence[str], walltime: int, site: Site, ranks: int, dialect: Dialect) -> str:
    """Lines that run a command until shortly before the walltime, and requeue the job if the command has to go on.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    walltime : int
        Time after which the scheduler ends the job (s).
    site : Site
        Gives the warning time, and the command that starts MPI ranks.
    ranks : int
        Number of MPI ranks, 0 without MPI.
    dialect : Dialect
        Dialect of the scheduler.
    """
    launcher = [*site.mpirun, "-n", str(ranks)] if ranks else []
    settings = [
        f"command=({quoted([*launcher, *command])})",
        f"job=${dialect.job_id}",
        f"warning={'' if dialect.warns else walltime - site.warning}",
        f"limit={walltime - min(site.warning // 4, LONGEST_MARGIN)}",
        f"patience={site.warning}",
        # mpirun kills its ranks when it gets SIGTERM, and passes SIGUSR1 on to them
        f"save={'USR1' if ranks else 'TERM'}",
        f"requeue() {{ {dialect.requeue}; }}",
    ]
    return "\n".join(settings) + "\n" + DRIVER
