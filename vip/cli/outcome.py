"""What `vip run` and `vip resume` say at the end."""

from __future__ import annotations

import typer

from vip.cli.signals import StopRequest
from vip.diagnose.verdict import verdict, without_evaluations
from vip.runs.result import Result

N_CHECKED = 50
"""Entries of the model that are looked at: a report takes more time."""


def tell_outcome(result: Result, stop: StopRequest) -> None:
    """Say how a run ended and what to do next, and exit with the signal's code if one stopped it."""
    if result.status == "finished":
        print(f"{result.path}: finished; figures and more tests: vip report {result.path}")
        print(verdict(without_evaluations(result, N_CHECKED)))
    else:
        print(f"{result.path}: saved; continue: vip resume {result.path}")
        raise typer.Exit(stop.exit_code)
