"""`vip report RUN_DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vip.cli.options import RunDirectory
from vip.runs.inversion import load_run
from vip.runs.result import Result
from vip.runs.store import Store


def report(
    run_dir: RunDirectory,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the report.")] = None,
) -> None:
    """Make a page and figures of a run: maps, marginals, coverage, data fit, trace."""
    from vip.report import write_report

    store = Store(run_dir)
    print(write_report(Result(store, load_run(store)), output))
