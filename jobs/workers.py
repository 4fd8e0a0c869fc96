"""Dask workers as jobs, through dask-jobqueue, whose scripts get our directives and are quoted throughout."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from vip.errors import ConfigError, SchedulerError
from vip.jobs.contract import QueuedJob
from vip.jobs.resources import Resources
from vip.jobs.script import opening, quoted
from vip.jobs.site import Site

DEATH_TIMEOUT = 60
"""Time after which a worker whose driver is gone ends (s)."""

LONGEST_STAGGER = 600
"""Half of the largest difference between lifetimes of workers (s), so that they do not all end at once."""

OWN_SECTION = "vip"
"""Section of dask's configuration for our workers, so that the user's own sections of jobqueue.yaml do not change them."""


HERE = "127.0.0.1:0"
"""Address of the pages about scheduler and workers: for this machine only, on any free port."""

LOOK_SECONDS = 60
"""Least time between two looks at the queue while workers are missing, s."""

Queued = Callable[[str], Iterable[QueuedJob]]

log = logging.getLogger("vip.jobs")  # as this package logs


class WorkerJobs(NamedTuple):
    """Facts about the workers' jobs.

    Attributes
    ----------
    kind : str
        Name of the scheduler in dask-jobqueue's classes: "SLURM" or "SGE".
    header : str
        Lines of directives.
    job_id : str
        Shell variable with the job's id, which names its log.
    name : str
        Name of the driver.
    run_dir : Path
        Run directory, absolute.
    resources : Resources
        Resources of one job.
    site : Site
        Gives modules, network, scratch directory and warning.
    processes : int
        Number of worker processes of one job.
    """

    kind: str
    header: str
    job_id: str
    name: str
    run_dir: Path
    resources: Resources
    site: Site
    processes: int

    def cluster(self, security: Any, queued: Queued, **options: Any) -> Any:
        """A cluster that has no workers yet; `queued` lists the jobs of a name."""
        base = _cluster_class(self.kind)
        (self.run_dir / "workers").mkdir(parents=True, exist_ok=True)
        scheduler_options = dict(options.pop("scheduler_options", None) or {})
        if not scheduler_options.get("dashboard_address"):  # which to Dask means: on all networks
            scheduler_options["dashboard_address"] = HERE
        options = {**self._options(security), "scheduler_options": scheduler_options, **options}
        job_class = _job_class(base.job_cls, self.header)
        return _replacing(base, functools.partial(queued, self.name))(job_cls=job_class, security=security, **options)

    def script(self, security: Any) -> str:
        """One job's script, with placeholders for what only a running cluster knows."""
        job = _job_class(_cluster_class(self.kind).job_cls, self.header)
        protocol = "tls" if security else "tcp"
        script: str = job(
            f"{protocol}://SCHEDULER:PORT", name="WORKER", security=security, **self._options(security)
        ).job_script()
        return script

    def _options(self, security: Any) -> dict[str, Any]:
        """Keywords of dask-jobqueue's Job."""
        if not 1 <= self.processes <= self.resources.cores:
            raise ConfigError("processes", self.processes, f"must be from 1 to the cores of a job, {self.resources.cores}")
        lifetime, stagger = lifetimes(self.resources.walltime, self.site.warning)
        lives = ["--lifetime", f"{lifetime}s", "--lifetime-stagger", f"{stagger}s"]
        return {
            "cores": self.resources.cores,
            "processes": self.processes,
            "memory": f"{self.resources.memory}B",
            "python": sys.executable,
            "job_name": f"{self.name}-worker",
            "interface": self.site.interface,
            "local_directory": self.site.scratch,
            "protocol": "tls://" if security else None,
            "death_timeout": DEATH_TIMEOUT,
            "worker_extra_args": [*lives, "--dashboard-address", HERE],
            "job_script_prologue": [opening(self.run_dir / "workers", f'"${self.job_id}.log"', self.site)],
            "shebang": "#!/bin/bash",
        }


def lifetimes(walltime: int, warning: int) -> tuple[int, int]:
    """Lifetime of a worker, and by how much it may be shorter or longer (s): the longest ends with the warning.

    Examples
    --------
    >>> lifetimes(86400, 120)
    (85680, 600)
    """
    stagger = min((walltime - warning) // 10, LONGEST_STAGGER)
    return walltime - warning - stagger, stagger


def _cluster_class(kind: str) -> Any:
    """Class of dask-jobqueue's cluster, which sees no configuration but its own defaults."""
    try:
        import dask
        import dask_jobqueue
    except ImportError as error:
        raise SchedulerError(f"{error.name} is not installed: pip install 'vip-inversion[cluster]'") from error
    packaged = dask.config.merge(*dask.config.defaults)["jobqueue"]
    dask.config.set({f"jobqueue.{OWN_SECTION}": packaged[kind.lower()]})
    return getattr(dask_jobqueue, f"{kind}Cluster")


def _replacing(base: Any, queued: Callable[[], Iterable[QueuedJob]]) -> Any:
    """A cluster that, whenever it is scaled, first forgets jobs that have left the queue, so that others take their place.

    Dask itself notices that a worker has gone, but not whose job that was where a job has several processes. A job that ended
    before its workers connected is not replaced, as the next one would end so too.
    """

    class WorkerCluster(base):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            self._connected: set[str] = set()
            self._failed: set[str] = set()
            self._looked = -math.inf
            super().__init__(**options)

        def scale(self, n: int | None = None, jobs: int = 0, memory: Any = None, cores: Any = None) -> Any:
            if n or jobs:
                self.loop.add_callback(self._forget_lost)
            return super().scale(n, jobs=jobs, memory=memory, cores=cores)

        def _update_worker_status(self, op: str, msg: Any) -> None:
            """Distributed's own hook, called in its event loop."""
            if op == "add":
                self._connected |= {str(worker["name"]) for worker in msg["workers"].values()}
            super()._update_worker_status(op, msg)

        async def _forget_lost(self) -> None:
            here = [str(worker["name"]) for worker in self.scheduler_info["workers"].values()]
            missing = {name: job.job_id for name, job in self.workers.items() if not _of_job(name, here)}
            if not missing or time.monotonic() - self._looked < LOOK_SECONDS:
                return
            self._looked = time.monotonic()
            try:
                known = {job.id for job in await asyncio.to_thread(queued)} | self._failed
            except SchedulerError as error:
                log.warning("workers: %s", error)
                return
            for name, number in missing.items():
                if number not in known and name in self.workers and self.workers[name].job_id == number:
                    self._forget(name, number)

        def _forget(self, name: str, number: str | None) -> None:
            if number is None:  # it was refused
                del self.workers[name]
            elif connected := _of_job(name, self._connected):
                log.info("worker job %s has ended, another takes its place", number)
                self._connected -= connected
                del self.workers[name]
            else:
                log.warning("worker job %s ended before it connected: see workers/%s.log in the run directory", number, number)
                self._failed.add(number)

    return WorkerCluster


def _of_job(name: str, workers: Iterable[str]) -> set[str]:
    """Workers that are processes of a job: their names are that of the job, or that with a number behind it."""
    return {worker for worker in workers if worker == name or worker.startswith(f"{name}-")}


def _job_class(base: Any, header: str) -> Any:
    """Class of jobs with our directives and quoted words, since dask-jobqueue joins words with spaces."""

    class QuotedJob(base):  # type: ignore[misc]
        config_name = OWN_SECTION

        def __init__(self, scheduler: Any = None, name: Any = None, security: Any = None, **options: Any) -> None:
            for key in ("python", "interface", "local_directory"):
                if options[key] is not None:
                    options[key] = quoted([str(options[key])], key)
            extra = [*options.pop("worker_extra_args"), *_tls_arguments(security)]
            super().__init__(
                scheduler=shlex.quote(str(scheduler)),
                name=quoted([str(name)], "name"),
                worker_extra_args=[quoted(extra)],
                **options,
            )
            self.scheduler, self.name = scheduler, name
            self.job_header = header

        async def start(self) -> None:
            """Submit the job. One that is refused, for instance because there are too many, is tried again later."""
            from distributed.core import Status

            try:
                await super().start()
            except (RuntimeError, OSError, ValueError) as error:
                said = [line for line in str(error).splitlines() if line.strip()]
                log.warning("a worker job was refused, and will be tried again: %s", said[-1] if said else error)
                self.status = Status.running  # as far as Dask is concerned

        async def close(self) -> None:
            """Cancel the job."""
            from distributed.core import Status

            await super().close()
            self.status = Status.closed

    return QuotedJob


def _tls_arguments(security: Any) -> list[str]:
    """TLS arguments of the command line of a worker; there is none for ciphers."""
    files = security.get_tls_config_for_role("worker") if security else {}
    given = {key: file for key, file in files.items() if key in ("ca_file", "cert", "key") and file}
    return [word for key, file in given.items() for word in (f"--tls-{key.replace('_', '-')}", str(file))]
