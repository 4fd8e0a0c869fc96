"""`vip compare RUN_DIR RUN_DIR ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vip.cli.options import Overwrite, check_are_free
from vip.errors import ConfigError
from vip.runs.inversion import load_run
from vip.runs.result import Result
from vip.runs.store import Store


def compare(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN_DIR...", help="Run directories.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, PDF or SVG file.")] = Path("comparison.png"),
    titles: Annotated[str | None, typer.Option("--titles", help="One for each run, between commas.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw mean and standard deviation of several runs beside each other."""
    from vip.report.comparison import comparison

    if not overwrite:
        check_are_free(output)
    names = titles.split(",") if titles else [run.resolve().name for run in run_dirs]
    if len(names) != len(run_dirs):
        raise ConfigError("--titles", titles, f"has {len(names)}, and there are {len(run_dirs)} runs: give one for each")
    if len(set(names)) < len(names):
        raise ConfigError("--titles", ",".join(names), "has one name twice: give each run its own")
    stores = [Store(run) for run in run_dirs]
    results = [Result(store, load_run(store)) for store in stores]
    comparison(results, [name.strip() for name in names]).savefig(output, dpi=150)
    print(output)
