"""The contract of every scheduler, written down once; `tests/jobs/test_jobs.py` holds each of them to it."""

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
        The scheduler's id of the job.
    name : str
        Name of the driver, or that name with ``-worker`` behind it.
    state : str
        "pending", "running", "held", "ending", "suspended", "error", or the scheduler's own word.
    since : datetime, optional
        Time at which the job started, or was submitted if it has not started: local time of the scheduler, without time zone.
    """

    id: str
    name: str
    state: str
    since: datetime | None


class Scheduler(Protocol):
    """A scheduler, which writes, submits, lists and cancels jobs."""

    def driver_script(
        self, name: str, command: Sequence[str], run_dir: Path, resources: Resources, site: Site, ranks: int = 0
    ) -> str:
        """The driver's script: it runs a command, warns it before the walltime, and requeues itself while that exits with 75.

        Parameters
        ----------
        name : str
            Name of the job: a letter, then letters, digits and ``-``, all lower case.
        command : sequence of str
            Program and arguments, passed on verbatim.
        run_dir : Path
            Run directory, absolute. The command runs in it, and its output is appended to the ``job.log`` in it.
        resources : Resources
            Resources of the workers; the driver takes walltime, queue, account and project from them.
        site : Site
            Gives the driver's own cores and memory, the warning, modules and so on.
        ranks : int
            Number of MPI ranks. If it is not 0, one allocation has that many ranks of ``resources.cores`` each, and the command
            is run under ``site.mpirun``.

        Raises
        ------
        ConfigError
            If a value cannot be passed to this scheduler.
        """
        ...

    def submit(self, script: str, run_dir: Path) -> str:
        """Write ``RUN_DIR/job.sh``, submit it, and return the job's id.

        Raises
        ------
        SchedulerError
            If there is no scheduler, or it refused.
        """
        ...

    def queued(self, name: str) -> list[QueuedJob]:
        """The user's own driver and workers of that name that the scheduler knows now, the driver first.

        Raises
        ------
        SchedulerError
            If there is no scheduler, or it does not answer.
        """
        ...

    def cancel(self, name: str) -> list[str]:
        """Cancel driver and workers, the driver first. The driver's command gets SIGTERM, and time to save the run.

        Returns
        -------
        list of str
            Ids of the jobs that were cancelled.

        Raises
        ------
        SchedulerError
            If there is no scheduler, or it refused.
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
            Resources, with the cores and memory of one job.
        security : distributed.Security or None
            TLS credentials; the workers must be able to read their files.
        processes : int
            Number of worker processes that share a job's cores and memory.
        **options
            Options of the cluster, for instance ``scheduler_options``, ``asynchronous``, ``silence_logs``.

        Raises
        ------
        SchedulerError
            If dask-jobqueue is not installed.
        """
        ...

    def worker_script(
        self, name: str, run_dir: Path, resources: Resources, site: Site, processes: int, security: Any = None
    ) -> str:
        """The script that `worker_cluster` would submit, without the address of the Dask scheduler and the worker's number."""
        ...
