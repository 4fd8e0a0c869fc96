"""What `vip run` and `vip resume` say at the end."""

from __future__ import annotations

import typer

from vip.cli.signals import StopRequest
from vip.progress import is_still_rising
from vip.result import Result


def tell_outcome(result: Result, stop: StopRequest) -> None:
    """Say how a run ended and what to do next, and exit with the signal's code if one stopped it."""
    if result.status == "finished":
        print(f"{result.path}: finished; figures: vip report {result.path}")
        if is_still_rising(result.store):
            print("The log-posterior was still rising after burn-in: give it more iterations, burn_in or warm_up.")
    else:
        print(f"{result.path}: saved; continue: vip resume {result.path}")
        raise typer.Exit(stop.exit_code)
