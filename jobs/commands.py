"""Calls of the schedulers' own programs, without a shell; an error has the words of the program."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from vip.errors import SchedulerError
from vip.jobs.contract import QueuedJob

PATIENCE = 120
"""Longest time that a scheduler may take to answer (s)."""


def call(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it prints.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    environment : mapping, optional
        Variables that are added to those of this process.

    Raises
    ------
    SchedulerError
        If the program is missing, fails, or does not answer.
    """
    program = command[0]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
    except FileNotFoundError as error:
        raise SchedulerError(f"{program}: not found on this machine; is this a node from which jobs are submitted?") from error
    except OSError as error:
        raise SchedulerError(f"{program}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise SchedulerError(f"{program}: no answer in {PATIENCE} s") from error
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        raise SchedulerError(f"{program}: {said or f'failed with code {done.returncode}'}")
    return done.stdout


def end(command: Sequence[str], ids: Sequence[str], queued: Callable[[], Iterable[QueuedJob]]) -> None:
    """Call a program that ends jobs, and ignore its complaints about jobs that have just ended by themselves.

    Raises
    ------
    SchedulerError
        If the program fails, and one of the jobs is still queued.
    """
    if not ids:
        return
    try:
        call([*command, *ids])
    except SchedulerError:
        if any(job.id in ids and job.state != "ending" for job in queued()):
            raise


def user_name() -> str:
    """Name of the user that this process runs as, whatever $USER says.

    Raises
    ------
    SchedulerError
        If the system has no name for that user.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError as error:
        raise SchedulerError(f"user {os.getuid()} has no name on this machine") from error


def write_script(script: str, run_dir: Path) -> Path:
    """Write RUN_DIR/job.sh, which only its owner can read."""
    file = run_dir.resolve() / "job.sh"
    try:
        with open(file, "w", encoding="utf-8", errors="surrogateescape", opener=_private) as stream:
            stream.write(script)
        file.chmod(0o700)
    except OSError as error:
        raise SchedulerError(f"{file}: cannot be written: {error.strerror}") from error
    return file


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o700)
