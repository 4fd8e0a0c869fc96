"""Runs as jobs of a scheduler: how they are submitted, watched and cancelled.

A run directory that was submitted has a ``job.json``: its scheduler, the job's id and name, and the dispatch settings with
which the job resumes the run.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vip import jobs
from vip.config import DispatchSettings
from vip.data import data_dir
from vip.dispatch import certificates
from vip.dispatch.mpi import launched_as, launcher
from vip.errors import ConfigError, SchedulerError, StoreError
from vip.jobs.contract import QueuedJob
from vip.jobs.site import site_file
from vip.runs.engines import asked_of_scheduler, job_name, processes_of_job
from vip.runs.inversion import new_store, run_directory
from vip.runs.problem import Problem
from vip.runs.store import Store

PATIENCE = 5
"""Number of allocations in a row that may end before an iteration is done."""


def submit(
    problem: Problem,
    store: Store | None,
    scheduler: str,
    dispatch: DispatchSettings,
    output: Path | None = None,
    overwrite: bool = False,
) -> tuple[str, Path]:
    """Submit a job that resumes a run until it is complete, with workers as `dispatch` says.

    Parameters
    ----------
    problem : Problem
    store : Store, optional
        The run to go on with; without it, a new one is made, after everything else has been checked.
    scheduler : {"slurm", "sge"}
    dispatch : DispatchSettings
    output, overwrite
        As for `vip.run`.

    Returns
    -------
    str, Path
        The job's id, and the run directory.

    Raises
    ------
    SchedulerError
        If there is no such scheduler, it refuses, or it already has a job of this run.
    StoreError
        If the directory cannot be used.
    """
    run_dir = store.path if store else run_directory(problem, output)
    queue, name = jobs.scheduler(scheduler), job_name(run_dir)
    if queue.queued(name):
        raise SchedulerError(f"{run_dir}: {scheduler} has a job of it already; see `vip status`, or `vip cancel` it")
    site = site_file(dispatch.site)
    dispatch = dispatch.model_copy(update={"site": site.resolve() if site else None})
    script = driver_script(run_dir, scheduler, dispatch)
    store = store or new_store(problem, run_dir, overwrite)
    job: dict[str, Any] = {"scheduler": scheduler, "name": name, "id": None, "starts": []}
    job["dispatch"] = dispatch.model_dump(mode="json", exclude_defaults=True)
    _write(store, job)
    try:
        job["id"] = queue.submit(script, store.path.resolve())
    except SchedulerError as error:
        raise SchedulerError(f"{error}; the run is ready: `vip submit {store.path}` tries again") from error
    _write(store, job)
    return job["id"], store.path


def driver_script(run_dir: Path, scheduler: str, dispatch: DispatchSettings) -> str:
    """The script of a run's job."""
    site, asked = asked_of_scheduler(dispatch)
    run_dir = run_dir.resolve()
    environment = ["env", f"VIP_DATA_DIR={data_dir().absolute()}"]  # which a site may keep from its jobs
    command = [*environment, sys.executable, "-m", "vip", "resume", str(run_dir), "--dispatch", dispatch.kind]
    if dispatch.kind in ("local", "serial"):  # then the driver itself needs what workers would
        site = site.model_copy(update={"driver_cores": asked.cores, "driver_memory": asked.memory})
    ranks = asked.workers if dispatch.kind == "mpi" else 0
    mpirun = launcher(site.mpirun[0])
    if mpirun and not site.modules and not site.prologue:  # a job may have another PATH; modules and prologue set their own
        site = site.model_copy(update={"mpirun": (mpirun, *site.mpirun[1:])})
    return jobs.scheduler(scheduler).driver_script(job_name(run_dir), command, run_dir, asked, site, ranks)


def worker_script(problem: Problem, run_dir: Path, dispatch: DispatchSettings) -> str:
    """The script of a worker's job, without the address of the driver."""
    site, asked = asked_of_scheduler(dispatch)
    run_dir, processes = run_dir.resolve(), processes_of_job(problem, asked)
    security = certificates.expected_in(run_dir / "tls")
    return jobs.scheduler(dispatch.kind).worker_script(job_name(run_dir), run_dir, asked, site, processes, security)


def cancel(store: Store) -> list[str]:
    """Cancel a run's job and its workers, and return the ids of those that there were.

    Raises
    ------
    StoreError
        If the run was not submitted.
    SchedulerError
        If its scheduler cannot be reached.
    """
    job = _job(store)
    if job is None:
        raise StoreError(f"{store.path}: was not submitted to a scheduler; stop it with Ctrl-C or kill where it runs")
    return jobs.scheduler(job["scheduler"]).cancel(job["name"])


def queue_status(store: Store) -> dict[str, str]:
    """Queue state of a submitted run's job and workers, as text by name; empty for a run that was not submitted."""
    job = _job(store)
    if job is None:
        return {}
    try:
        queued = jobs.scheduler(job["scheduler"]).queued(job["name"])
    except SchedulerError as error:
        return {"job": f"{job['scheduler']} {job['id']}: {error}"}
    drivers = [entry for entry in queued if entry.name == job["name"]]
    workers = Counter(entry.state for entry in queued if entry.name != job["name"])
    rows = {"job": f"{job['scheduler']} {job['id']}: {_state(drivers)}"}
    if drivers:  # what looks killed from here may wait in the queue, or run on a node whose locks are not seen here
        rows["status"] = "running" if drivers[0].state == "running" else f"in the queue, {drivers[0].state}"
    if job["dispatch"].get("kind") != "mpi":
        rows["workers"] = ", ".join(f"{number} {state}" for state, number in sorted(workers.items())) or "none"
    return rows


def resumed_dispatch(store: Store, configured: DispatchSettings, kind: str | None) -> DispatchSettings:
    """Dispatch settings of a run that goes on: those of its configuration, or of its job where that resumes it.

    Raises
    ------
    SchedulerError
        If the job was started anew several times without any progress: it would start for ever.
    """
    job = _job(store)
    if kind is None:
        return configured
    if job is None or job["dispatch"].get("kind") != kind:
        return with_options(configured, kind=kind)
    if launched_as()[0] == 0:
        _note_start(store, job)
    settings = DispatchSettings(**job["dispatch"])
    if kind != "mpi" or settings.threads:
        return settings
    return settings.model_copy(update={"threads": asked_of_scheduler(settings)[1].cores})  # of a node that others use too


def with_options(settings: DispatchSettings, **options: Any) -> DispatchSettings:
    """The settings, replaced by the options that were given (not None); paths among these are made absolute.

    Raises
    ------
    ConfigError
        If an option is wrong.
    """
    given = {key: value for key, value in options.items() if value is not None}
    given |= {key: value.resolve() for key, value in given.items() if isinstance(value, Path)}
    try:
        return DispatchSettings(**(settings.model_dump() | given))
    except ValidationError as error:
        detail = error.errors()[0]
        key, cause = str(detail["loc"][0]), detail.get("ctx", {}).get("error")
        remedy = cause.remedy if isinstance(cause, ConfigError) else detail["msg"]
        raise ConfigError("--dispatch" if key == "kind" else f"--{key}", detail["input"], remedy) from error


def _note_start(store: Store, job: dict[str, Any]) -> None:
    """Note the iteration at which a job's command starts, each time that its scheduler starts it."""
    if not {"SLURM_JOB_ID", "JOB_ID"} & set(os.environ):
        return
    checkpoint = store.checkpoint()
    at = checkpoint.iteration if checkpoint else 0
    starts = [*job["starts"], at][-PATIENCE:]
    if starts == [at] * PATIENCE:
        raise SchedulerError(
            f"{store.path}: {PATIENCE} allocations ended without a single iteration: give it a longer walltime or more workers"
        )
    _write(store, {**job, "starts": starts})


def _state(drivers: list[QueuedJob]) -> str:
    if not drivers:
        return "no longer known to the scheduler"
    since = drivers[0].since
    return drivers[0].state + (f" since {since:%Y-%m-%d %H:%M:%S}" if since else "")


def _job(store: Store) -> dict[str, Any] | None:
    path = store.path / "job.json"
    if not path.is_file():
        return None
    job: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return job


def _write(store: Store, job: dict[str, Any]) -> None:
    store.write_text("job.json", json.dumps(job, indent=2))
