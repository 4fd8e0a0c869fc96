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
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder, in which a later call goes on.")],
    replicates: Annotated[int, typer.Option(min=10, help="Runs on simulated data.")] = 100,
) -> None:
    """Test the algorithm on data simulated from the prior: are the true models spread as its samples say? In this process."""
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
