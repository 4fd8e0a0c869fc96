"""`vip report RUN_DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vip.cli.options import Dispatch, Insecure, RunDirectory, Workers, asked_dispatch
from vip.runs.inversion import load_run
from vip.runs.result import Result
from vip.runs.store import Store


def report(
    run_dir: RunDirectory,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the report.")] = None,
    dispatch: Dispatch = None,
    workers: Workers = None,
    insecure: Insecure = False,
) -> None:
    """Make a page and figures of a run: maps, marginals, coverage, data fit, trace."""
    from vip.report import write_report

    store = Store(run_dir)
    problem = load_run(store)
    print(write_report(Result(store, problem), output, asked_dispatch(problem, dispatch, workers, insecure)))
