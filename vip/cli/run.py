"""`vip run CONFIG.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import vip
from vip.cli.options import ConfigFile, Overwrite
from vip.cli.outcome import tell_outcome
from vip.cli.progress import shown
from vip.cli.signals import stop_on_signal


def run(
    config: ConfigFile,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Run directory.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Run an inversion; Ctrl-C saves it, `vip resume` goes on."""
    problem = vip.load_problem(config)
    with stop_on_signal() as stop, shown() as tell:
        result = vip.run(problem, output, overwrite, tell, stop)
    tell_outcome(result, stop)
