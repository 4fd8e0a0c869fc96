"""What `vip run` and `vip resume` say at the end."""

from __future__ import annotations

import typer

from vip.cli.signals import StopRequest
from vip.result import Result


def tell_outcome(result: Result, stop: StopRequest) -> None:
    """Say how a run ended and what to do next, and exit with the signal's code if one stopped it."""
    if result.status == "finished":
        print(f"{result.path}: finished; figures: vip report {result.path}")
    else:
        print(f"{result.path}: saved; continue: vip resume {result.path}")
        raise typer.Exit(stop.exit_code)
