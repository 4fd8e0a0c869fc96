"""`vip submit CONFIG.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import vip
from vip import jobs
from vip.cli.options import Dispatch, Output, Overwrite, Workers
from vip.errors import ConfigError
from vip.jobs.site import load_site
from vip.runs import submission
from vip.runs.inversion import load_run, run_directory
from vip.runs.store import Store


def submit(
    what: Annotated[Path, typer.Argument(metavar="CONFIG.toml|RUN_DIR", help="A configuration, or a run to continue.")],
    scheduler: Annotated[str | None, typer.Option(help="slurm or sge; that of the site file by default.")] = None,
    workers: Workers = None,
    cores: Annotated[int | None, typer.Option(help="Cores of each worker or rank.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory of each worker or rank, as 8GB.")] = None,
    walltime: Annotated[str | None, typer.Option(help="Time of each job, as 12:00:00; more jobs follow.")] = None,
    queue: Annotated[str | None, typer.Option("--queue", "--partition", help="Queue, or partition.")] = None,
    account: Annotated[str | None, typer.Option(help="Account to charge.")] = None,
    project: Annotated[str | None, typer.Option(help="Project, of Grid Engine.")] = None,
    site: Annotated[Path | None, typer.Option(help="Site file; by default $VIP_SITE or ~/.config/vip/site.toml.")] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    dispatch: Dispatch = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the job scripts and stop.")] = False,
) -> None:
    """Run an inversion as a job that starts its own workers and goes on past its walltime until the run is complete."""
    store = Store(what) if what.is_dir() else None
    problem = load_run(store) if store else vip.load_problem(what)
    asked = {"cores": cores, "memory": memory, "walltime": walltime, "queue": queue, "account": account, "project": project}
    settings = submission.with_options(problem.dispatch, workers=workers, site=site, **asked)
    scheduler = scheduler or load_site(settings.site).scheduler
    if scheduler is None:
        raise ConfigError("--scheduler", None, "say slurm or sge, here or in the site file")
    jobs.scheduler(scheduler)  # or an error that names it
    default = "mpi" if settings.kind == "mpi" else scheduler
    settings = submission.with_options(settings, kind=dispatch or default)
    if settings.kind not in (scheduler, "mpi", "serial", "local"):
        raise ConfigError("--dispatch", settings.kind, f"a job of {scheduler} has {scheduler}, mpi, local or serial")
    if dry_run:
        run_dir = store.path if store else run_directory(problem, output)
        print(submission.driver_script(run_dir, scheduler, settings))
        if settings.kind == scheduler:
            print(submission.worker_script(problem, run_dir, settings))
        return
    job_id, run_dir = submission.submit(problem, store, scheduler, settings, output, overwrite)
    print(f"{scheduler} {job_id}: {run_dir}")
    print(f"look at it: vip status {run_dir}; end it: vip cancel {run_dir}")
