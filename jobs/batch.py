"""Base of all schedulers: the frame of their scripts, the queue in order, workers through dask-jobqueue."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from vip.jobs.contract import QueuedJob, Scheduler
from vip.jobs.resources import Resources
from vip.jobs.script import Dialect, checked_name, driver_body, opening
from vip.jobs.site import Site
from vip.jobs.workers import WorkerJobs


class BatchScheduler(Scheduler, ABC):
    """A scheduler that reads directives from the top of a script.

    Attributes
    ----------
    kind : str
        Name of the scheduler in dask-jobqueue's classes: "SLURM" or "SGE".
    dialect : Dialect
        Commands and variables that differ from scheduler to scheduler.
    resolution : int
        Seconds to whose multiples the scheduler rounds a walltime up.
    """

    kind: ClassVar[str]
    dialect: ClassVar[Dialect]
    resolution: ClassVar[int] = 1

    @abstractmethod
    def driver_header(self, name: str, walltime: int, resources: Resources, site: Site, ranks: int) -> str:
        """Lines of directives of a driver's script, for a walltime (s) that the scheduler can hold."""

    @abstractmethod
    def worker_header(self, name: str, walltime: int, resources: Resources, site: Site) -> str:
        """Lines of directives of a worker's script. It is not requeued, since its cluster replaces a worker that died."""

    @abstractmethod
    def listed(self, names: Sequence[str]) -> list[QueuedJob]:
        """The user's own jobs of some names that the scheduler knows now, in any order."""

    def settings(self, resources: Resources, ranks: int) -> list[str]:
        """Shell lines that the scheduler's own programs need before the command."""
        return []

    def driver_script(
        self, name: str, command: Sequence[str], run_dir: Path, resources: Resources, site: Site, ranks: int = 0
    ) -> str:
        """See `vip.jobs.contract.Scheduler`."""
        walltime = self._rounded(resources.walltime)
        header = self.driver_header(checked_name(name), walltime, resources, site, ranks)
        parts = ["#!/bin/bash", header, "", opening(run_dir, "job.log", site), *self.settings(resources, ranks), ""]
        return "\n".join([*parts, driver_body(command, walltime, site, ranks, self.dialect)])

    def queued(self, name: str) -> list[QueuedJob]:
        """See `vip.jobs.contract.Scheduler`."""
        return sorted(self.listed([name, _worker(name)]), key=lambda job: (job.name, int(job.id)))

    def worker_cluster(
        self, name: str, run_dir: Path, resources: Resources, site: Site, security: Any, processes: int, **options: Any
    ) -> Any:
        """See `vip.jobs.contract.Scheduler`."""
        return self._workers(name, run_dir, resources, site, processes).cluster(security, self.queued, **options)

    def worker_script(
        self, name: str, run_dir: Path, resources: Resources, site: Site, processes: int, security: Any = None
    ) -> str:
        """See `vip.jobs.contract.Scheduler`."""
        return self._workers(name, run_dir, resources, site, processes).script(security)

    def _workers(self, name: str, run_dir: Path, resources: Resources, site: Site, processes: int) -> WorkerJobs:
        header = self.worker_header(_worker(checked_name(name)), self._rounded(resources.walltime), resources, site)
        return WorkerJobs(self.kind, header, self.dialect.job_id, name, run_dir, resources, site, processes)

    def _rounded(self, walltime: int) -> int:
        return math.ceil(walltime / self.resolution) * self.resolution


def _worker(name: str) -> str:
    """Name of the worker jobs of a driver."""
    return f"{name}-worker"
