"""What every scheduler offers. Written down once; `tests/jobs/test_jobs.py` holds each of them to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from vip.jobs.resources import Resources
from vip.jobs.site import Site


class QueuedJob(NamedTuple):
    """A job that the scheduler knows now.

    Attributes
    ----------
    id : str
        The scheduler's.
    name : str
        Of the driver, or that with ``-worker`` behind it.
    state : str
        "pending", "running", "held", "ending", "suspended", "error", or the scheduler's own word.
    since : datetime, optional
        When it started, or when it was submitted if it has not: local time of the scheduler, no time zone.
    """

    id: str
    name: str
    state: str
    since: datetime | None


class Scheduler(Protocol):
    """Writes, submits, lists and cancels jobs."""

    def driver_script(
        self, name: str, command: Sequence[str], run_dir: Path, resources: Resources, site: Site, ranks: int = 0
    ) -> str:
        """The driver's script: runs a command, warns it before the walltime, requeues itself while it exits with 75.

        Parameters
        ----------
        name : str
            Of the job: a letter, then letters, digits and ``-``, all lower case.
        command : sequence of str
            Program and arguments, passed on verbatim.
        run_dir : Path
            Absolute. The command runs in it, and its output is appended to its ``job.log``.
        resources : Resources
            Of the workers; the driver takes walltime, queue, account and project from them.
        site : Site
            The driver's own cores and memory, the warning, modules and so on.
        ranks : int
            With more than none, one allocation of that many MPI ranks of ``resources.cores`` each, and the command is run under
            ``site.mpirun``.

        Raises
        ------
        ConfigError
            A value cannot be passed to this scheduler.
        """
        ...

    def submit(self, script: str, run_dir: Path) -> str:
        """Write ``RUN_DIR/job.sh``, submit it, and return the job's id.

        Raises
        ------
        SchedulerError
            There is no scheduler, or it refused.
        """
        ...

    def queued(self, name: str) -> list[QueuedJob]:
        """The user's own driver and workers of that name that the scheduler knows now, the driver first.

        Raises
        ------
        SchedulerError
            There is no scheduler, or it does not answer.
        """
        ...

    def cancel(self, name: str) -> list[str]:
        """Cancel driver and workers, the driver first. Its command gets SIGTERM, and time to save itself.

        Returns
        -------
        list of str
            Ids of the jobs that were cancelled; none if there were none.

        Raises
        ------
        SchedulerError
            There is no scheduler, or it refused.
        """
        ...

    def worker_cluster(
        self, name: str, run_dir: Path, resources: Resources, site: Site, security: Any, processes: int, **options: Any
    ) -> Any:
        """A dask-jobqueue cluster, not yet scaled, whose jobs are called ``NAME-worker`` and log to ``RUN_DIR/workers``.

        Parameters
        ----------
        name, run_dir, site
            As for `driver_script`.
        resources : Resources
            Cores and memory are of one job.
        security : distributed.Security or None
            Its TLS files (not their contents) must be readable for the workers.
        processes : int
            Worker processes that share a job's cores and memory.
        **options
            Go to the cluster, for instance ``scheduler_options``, ``asynchronous``, ``silence_logs``.

        Raises
        ------
        SchedulerError
            dask-jobqueue is not installed.
        """
        ...

    def worker_script(
        self, name: str, run_dir: Path, resources: Resources, site: Site, processes: int, security: Any = None
    ) -> str:
        """What `worker_cluster` would submit, but for the address of the Dask scheduler and the number of the worker."""
        ...
