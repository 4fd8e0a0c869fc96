"""`vip calibrate CONFIG.toml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import vip
from vip.cli.options import ConfigFile, Dispatch, Insecure, Workers, asked_dispatch
from vip.cli.signals import stop_on_signal


def calibrate(
    config: ConfigFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the ranks; a later call goes on in it.")],
    replicates: Annotated[int, typer.Option(min=10, help="Number of runs on simulated data.")] = 100,
    dispatch: Dispatch = None,
    workers: Workers = None,
    insecure: Insecure = False,
) -> None:
    """Test the algorithm on data simulated from the prior: are the true models spread as its samples say?"""
    from vip.diagnose.calibration import calibrate
    from vip.report.ranks import write_ranks

    problem = vip.load_problem(config)
    settings = asked_dispatch(problem, dispatch, workers, insecure)
    with stop_on_signal() as stop:
        found = calibrate(problem, replicates, output, lambda done: _tell(done, replicates), stop, settings)
    if found is None:
        print(f"{output}: saved; the same command goes on")
        raise typer.Exit(stop.exit_code)
    print(write_ranks(found, output / "ranks.png"))
    print(found)


def _tell(done: int, replicates: int) -> None:
    print(f"replicate {done}/{replicates}", file=sys.stderr, flush=True)
