"""Making the dispatcher that evaluates a problem's particles, from its dispatch settings."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vip import jobs
from vip.config import DispatchSettings
from vip.dispatch import certificates, clusters, mpi
from vip.dispatch.dask import DaskWorkers
from vip.dispatch.serial import Serial, available_cores
from vip.errors import ConfigError
from vip.jobs.amounts import parse_memory
from vip.jobs.resources import Resources, resources
from vip.jobs.site import Site, load_site
from vip.protocols import Batches, Dispatcher, UsesThreads
from vip.rng import Purpose, stream
from vip.runs.problem import Problem

if TYPE_CHECKING:
    from distributed.security import Security

HEAVY_SECONDS = 0.1
"""Time of a particle, s, above which it is worth sending to another process."""


def choose(problem: Problem, settings: DispatchSettings) -> DispatchSettings:
    """Settings with "auto" decided: MPI under mpirun, worker processes for a heavy forward, this process for a light one."""
    if settings.kind != "auto":
        return settings
    if mpi.launched_as()[1] > 1:
        kind = "mpi"
    elif available_cores() > 1 and _seconds(problem) > HEAVY_SECONDS:
        kind = "local"
    else:
        kind = "serial"
    return settings.model_copy(update={"kind": kind})


def serve_as_rank(problem: Problem, settings: DispatchSettings) -> None:
    """Do nothing, but for an MPI rank other than 0: it serves until the process of rank 0 ends, and then ends too.

    Whatever evaluates or simulates calls this before it touches a file: a script under mpirun is run by every rank.
    """
    if settings.kind == "mpi" and mpi.world().rank > 0:
        mpi.serve(problem.forward, settings.threads)
        raise SystemExit(0)


@contextmanager
def dispatcher(
    problem: Problem, settings: DispatchSettings, run_dir: Path | None, leave: Callable[[bool], bool] = lambda idle: False
) -> Iterator[Dispatcher]:
    """The dispatcher that the settings describe, with its workers; they end with it.

    Parameters
    ----------
    problem : Problem
    settings : DispatchSettings
        Settings in which "auto" means this process: `choose` decides before, where processes may be started.
    run_dir : Path, optional
        Folder for the certificates and logs of workers that are jobs of a scheduler; only these need one.
    leave : callable
        Called while particles are evaluated, and with True while there is no worker to evaluate them; where it returns true,
        they are given up and `Interrupted` is raised.
    """
    with ExitStack() as stack:
        yield stack.enter_context(_dispatcher(problem, settings, run_dir, leave, stack))


def _dispatcher(
    problem: Problem, settings: DispatchSettings, run_dir: Path | None, leave: Callable[[bool], bool], stack: ExitStack
) -> AbstractContextManager[Dispatcher]:
    batch = problem.forward.batch if isinstance(problem.forward, Batches) else 1
    if settings.kind in ("auto", "serial"):
        return Serial(problem.forward, settings.threads)
    if settings.kind == "mpi":
        return mpi.MPIRanks(problem.forward, problem.build, settings.threads, batch, settings.timeout, leave)
    workers = functools.partial(DaskWorkers, batch=batch, timeout=settings.timeout, leave=leave)
    if settings.kind == "local":
        number = settings.workers or max(1, available_cores() // max(settings.threads, 1))
        memory = parse_memory(settings.memory) if settings.memory else None
        client = stack.enter_context(clusters.local(number, memory, settings.dashboard))
        threads = settings.threads or max(1, available_cores() // number)
        grow = functools.partial(client.cluster.scale, number)  # type: ignore[union-attr]
        return workers(client, problem.build, threads, minimum=number, shared=True, replace_lost=grow)
    if settings.kind in jobs.SCHEDULERS:
        if run_dir is None:
            raise ConfigError("dispatch", settings.kind, "workers that are jobs need a run directory: say output=")
        site, asked = asked_of_scheduler(settings)
        processes = processes_of_job(problem, asked)
        make = functools.partial(_queue_cluster, settings, site, asked, processes, run_dir.resolve(), stack)
        client = stack.enter_context(clusters.queued(make, asked.workers))
        grow = functools.partial(client.cluster.scale, jobs=asked.workers)  # type: ignore[union-attr]
        minimum = min(settings.minimum_workers, asked.workers * processes)
        return workers(client, problem.build, settings.threads or asked.cores // processes, minimum=minimum, replace_lost=grow)
    client = stack.enter_context(clusters.remote(settings.kind, _remote_security(settings)))
    return workers(client, problem.build, settings.threads, minimum=settings.minimum_workers)


def _queue_cluster(
    settings: DispatchSettings, site: Site, asked: Resources, processes: int, run_dir: Path, stack: ExitStack
) -> Any:
    """A cluster of a job scheduler; its certificates are deleted when `stack` is left."""
    security = certificates.made_for_run(run_dir / "tls")
    stack.callback(certificates.remove, run_dir / "tls")
    dashboard = {"dashboard_address": clusters.dashboard_address(settings.dashboard)}
    options = {"scheduler_options": dashboard, "silence_logs": clusters.QUIET}
    scheduler = jobs.scheduler(settings.kind)
    return scheduler.worker_cluster(job_name(run_dir), run_dir, asked, site, security, processes, **options)


def asked_of_scheduler(settings: DispatchSettings) -> tuple[Site, Resources]:
    """The site, and what jobs ask for: the values of the settings, and those of the site where a setting is left out."""
    site = load_site(settings.site)
    return site, resources(site, **{key: getattr(settings, key) for key in Resources._fields})


def processes_of_job(problem: Problem, asked: Resources) -> int:
    """Number of processes of a job: one where the forward has threads of its own, else one for each core."""
    return 1 if isinstance(problem.forward, UsesThreads) else asked.cores


def job_name(run_dir: Path) -> str:
    """Name of a run's jobs, which depends on its directory alone."""
    return f"vip-{hashlib.sha256(str(run_dir.resolve()).encode()).hexdigest()[:10]}"


def _remote_security(settings: DispatchSettings) -> Security | None:
    if settings.kind.startswith("tcp://"):
        if not settings.insecure:
            remedy = "anyone who reaches a tcp scheduler can run code as you: use tls://, or say --insecure"
            raise ConfigError("dispatch", settings.kind, remedy)
        return None
    return certificates.from_folder(settings.certificates) if settings.certificates else certificates.from_dask()


def _seconds(problem: Problem) -> float:
    """Time that one particle takes in this process, with all its cores (s); 0 if it fails."""
    forward, models = problem.forward, problem.sample_prior(1, stream(problem.config.seed, 0, Purpose.START))
    if isinstance(forward, UsesThreads):
        forward.threads = available_cores()
    start = time.perf_counter()
    try:
        forward(models)
    except Exception:  # a user's forward may raise anything; the run will tell
        return 0.0
    return time.perf_counter() - start
