"""`vip check CONFIG.toml`."""

from __future__ import annotations

import typer

import vip
from vip.cli.messages import messages_shown
from vip.cli.options import ConfigFile
from vip.diagnose.checks import check_problem


def check(config: ConfigFile) -> None:
    """Test the forward, its gradient first of all, and say what a run will cost before it is spent."""
    with messages_shown():
        result = check_problem(vip.load_problem(config))
    for name, value in result.rows():
        print(f"{name:>30}  {value}")
    if result.failures:
        print("Failed: " + ", ".join(verdict.name for verdict in result.failures) + ". Mend the forward before running.")
        raise typer.Exit(1)
