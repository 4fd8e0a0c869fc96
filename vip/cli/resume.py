"""`vip resume RUN_DIR`."""

from __future__ import annotations

from typing import Annotated

import typer

from vip.cli.carry_on import go_on, tell_outcome
from vip.cli.options import Dispatch, Insecure, RunDirectory, Workers


def resume(
    run_dir: RunDirectory,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="Go on to so many in total, burn-in included, even if the run had finished.")
    ] = None,
    dispatch: Dispatch = None,
    workers: Workers = None,
    insecure: Insecure = False,
) -> None:
    """Continue a run that was stopped or killed, with the same engine or another; its samples will be the same."""
    tell_outcome(go_on(run_dir, iterations, dispatch, workers, insecure))
