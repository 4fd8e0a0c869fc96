"""Running a program so that no process of it is left behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

TAIL_BYTES, TAIL_LINES, TAIL_CHARACTERS = 4096, 3, 300


def run(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str], timeout: float | None, stdout: Path, stderr: Path
) -> int | None:
    """Run a program to its end, without a shell, in a session of its own.

    When this returns or raises, the program has ended, and all other processes that it started have been killed.

    Parameters
    ----------
    arguments : sequence of str
        The program's absolute path, and its arguments as they are.
    directory : Path
        Working directory.
    environment : mapping of str to str
        The program's whole environment.
    timeout : float or None
        Seconds after which the program is killed.
    stdout, stderr : Path
        Files for what the program prints.

    Returns
    -------
    int or None
        Exit code, the negative number of the signal that killed it, or None after a timeout.
    """
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(
            [*_dies_with_us(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=directory,
            env=environment,
            start_new_session=True,
        )
        ended = False
        try:
            ended = _ends(process, timeout)
        finally:
            _kill(process, ended)
            process.wait()
    return process.returncode if ended else None


def describe(code: int | None, timeout: float | None) -> str:
    """How a program ended, in words."""
    if code is None:
        return f"killed after the timeout of {timeout:g} s"
    if code >= 0:
        return f"exit code {code}"
    name = next((each.name for each in signal.Signals if each == -code), "")
    return f"killed by signal {-code} {name}".rstrip()


def tail(stdout: Path, stderr: Path) -> str:
    """The last lines of stderr, or of stdout where there are none, as one line; empty without any."""
    for name, file in (("stderr", stderr), ("stdout", stdout)):
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
            text = stream.read().decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()][-TAIL_LINES:]
        if lines:
            line = " | ".join(lines)[-TAIL_CHARACTERS:]
            return f"{name}: " + "".join(c if c.isprintable() else "?" for c in line)
    return ""


def _ends(process: subprocess.Popen[bytes], timeout: float | None) -> bool:
    """Wait for the end of a program, and return whether it came in time."""
    try:
        # Popen.wait sleeps up to 50 ms between two looks, and reaps the process: its group's number could then be another's.
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or before 5.3
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
        return process.returncode is not None
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(None if timeout is None else 1000 * timeout))
    finally:
        os.close(descriptor)


def _kill(process: subprocess.Popen[bytes], ended: bool) -> None:
    """Kill what is left of a program: its process group, and if it has not ended its whole session."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if not ended:  # mpirun gives each rank a group of its own
        for member in _session(process.pid):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)


def _session(leader: int) -> list[int]:
    """Processes of a session; none where there is no /proc."""
    members = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            after_name = file.read_text(errors="replace").rpartition(")")[2].split()
            if int(after_name[3]) == leader:  # state, parent, group, session: proc(5)
                members.append(int(file.parent.name))
    return members


@cache
def _dies_with_us() -> tuple[str, ...]:
    """A prefix of the command by which Linux kills the program when this process is killed; empty where there is none.

    It is setpriv of util-linux, from 2.33 on: code between fork and exec (preexec_fn) is unsafe where there are threads.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "KILL", "--")
    tried = subprocess.run([*prefix, setpriv, "--version"], capture_output=True, check=False)
    return prefix if tried.returncode == 0 else ()
