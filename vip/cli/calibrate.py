"""`vip calibrate CONFIG.toml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import vip
from vip.cli.options import ConfigFile
from vip.cli.signals import stop_on_signal


def calibrate(
    config: ConfigFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the ranks; a later call goes on in it.")],
    replicates: Annotated[int, typer.Option(min=10, help="Number of runs on simulated data.")] = 100,
) -> None:
    """Test the algorithm, in this process, on data simulated from the prior: are true models spread as its samples say?"""
    from vip.diagnose.calibration import calibrate
    from vip.report.ranks import write_ranks

    with stop_on_signal() as stop:
        found = calibrate(vip.load_problem(config), replicates, output, lambda done: _tell(done, replicates), stop)
    if found is None:
        print(f"{output}: saved; the same command goes on")
        raise typer.Exit(stop.exit_code)
    print(write_ranks(found, output / "ranks.png"))
    print(found)


def _tell(done: int, replicates: int) -> None:
    print(f"replicate {done}/{replicates}", file=sys.stderr, flush=True)
