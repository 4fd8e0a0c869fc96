"""Carry a run to its end from a command: with an engine, messages, progress and the signals that stop it.

`vip run` and `vip resume` are these functions, and a command that a plugin brings may be made of them too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

import vip
from vip.cli.messages import messages_shown
from vip.cli.signals import StopRequest, stop_on_signal
from vip.config import DispatchSettings
from vip.diagnose.verdict import verdict, without_evaluations
from vip.inference.loop import Record
from vip.progress import shown
from vip.runs import engines
from vip.runs.inversion import load_run
from vip.runs.submission import resumed_dispatch, with_options

N_CHECKED = 50
"""Number of entries of the model that are checked: fewer than in a report, which takes more time."""

Go = Callable[[Callable[[Record], None], DispatchSettings], vip.Result]
"""Runs or resumes with an engine, and reports its progress to a function."""


def begin(
    problem: vip.Problem,
    output: Path | None = None,
    overwrite: bool = False,
    dispatch: str | None = None,
    workers: int | None = None,
    insecure: bool = False,
) -> vip.Result:
    """Run a problem from its beginning to its end.

    Parameters
    ----------
    problem : Problem
    output, overwrite
        As for `vip.run`.
    dispatch, workers, insecure : optional
        Who evaluates the particles, as the options `--dispatch`, `--workers` and `--insecure` say; without them, as the
        configuration says.

    Returns
    -------
    Result
        Result of the finished run.

    Raises
    ------
    typer.Exit
        If a signal stopped the run, which is saved, with the signal's exit code; or if this process is an MPI rank that has
        done its part for another one.
    VIPError
        As `vip.run` does.
    """
    settings = with_options(problem.dispatch, kind=dispatch, workers=workers, insecure=insecure or None)
    with stop_on_signal() as stop, messages_shown():
        return _carried(lambda tell, engine: vip.run(problem, output, overwrite, tell, stop, engine), problem, settings, stop)


def go_on(
    run_dir: Path,
    iterations: int | None = None,
    dispatch: str | None = None,
    workers: int | None = None,
    insecure: bool = False,
    check: Callable[[vip.Problem], None] = lambda problem: None,
) -> vip.Result:
    """Carry a run that was stopped or killed to its end; one that is finished is returned as it is.

    Parameters
    ----------
    run_dir : Path
    iterations : int, optional
        As for `vip.resume`.
    dispatch, workers, insecure : optional
        As for `begin`.
    check : callable
        Called with the run's problem before anything is done; what it raises ends the command.

    Returns
    -------
    Result
        Result of the finished run.

    Raises
    ------
    typer.Exit
        As `begin` does.
    VIPError
        As `vip.resume` does.
    """
    with stop_on_signal() as stop, messages_shown():
        store = vip.Store(run_dir)
        problem = load_run(store)
        check(problem)
        settings = with_options(resumed_dispatch(store, problem.dispatch, dispatch), workers=workers, insecure=insecure or None)
        result = vip.Result(store, problem)
        if iterations is None and result.status == "finished":
            return result
        return _carried(lambda tell, engine: vip.resume(run_dir, tell, stop, engine, iterations), problem, settings, stop)


def tell_outcome(result: vip.Result) -> None:
    """Say how far the samples of a finished run can be relied on, and what to do next."""
    print(f"{result.path}: finished; figures and more tests: vip report {result.path}")
    print(verdict(without_evaluations(result, N_CHECKED)))


def _carried(go: Go, problem: vip.Problem, settings: DispatchSettings, stop: StopRequest) -> vip.Result:
    settings = engines.choose(problem, settings)
    engines.serve_as_rank(problem, settings)
    with shown() as tell:
        result = go(tell, settings)
    if result.status != "finished":
        print(f"{result.path}: saved; continue: vip resume {result.path}")
        raise typer.Exit(stop.exit_code)
    return result
