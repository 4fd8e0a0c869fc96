"""`vip resume RUN_DIR`."""

from __future__ import annotations

from typing import Annotated

import typer

import vip
from vip.cli.messages import told
from vip.cli.options import Dispatch, Insecure, RunDirectory, Workers
from vip.cli.outcome import tell_outcome
from vip.cli.signals import stop_on_signal
from vip.progress import shown
from vip.runs import engines
from vip.runs.inversion import load_run
from vip.runs.result import Result
from vip.runs.store import Store
from vip.runs.submission import resumed_dispatch, with_options


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
    with stop_on_signal() as stop, told():
        store = Store(run_dir)
        problem = load_run(store)
        settings = with_options(resumed_dispatch(store, problem.dispatch, dispatch), workers=workers, insecure=insecure or None)
        finished = iterations is None and Result(store, problem).status == "finished"
        settings = settings if finished else engines.choose(problem, settings)
        if not finished and engines.serves_only(problem, settings):
            return
        with shown() as tell:
            result = vip.resume(run_dir, tell, stop, settings, iterations)
    tell_outcome(result, stop)
