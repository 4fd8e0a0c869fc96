"""`vip check CONFIG.toml`."""

from __future__ import annotations

import typer

import vip
from vip.checks import check_problem
from vip.cli.options import ConfigFile


def check(config: ConfigFile) -> None:
    """Test the gradient of the forward and say what a run will cost, before it is spent."""
    result = check_problem(vip.load_problem(config))
    for name, value in result.rows():
        print(f"{name:>26}  {value}")
    if not result.gradient_is_right:
        print("The gradient disagrees with finite differences: mend the forward before running.")
        raise typer.Exit(1)
