"""`vip report CATALOGUE.run`, the pictures of an association."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vip.forward.association.pictures.report import write_report
from vip.forward.association.record.directory import load


def report(
    directory: Annotated[Path, typer.Argument(metavar="CATALOGUE.run", help="Folder that `vip associate` made.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the report.")] = None,
    events: Annotated[
        str | None, typer.Option("--events", help="Names of events to show, with commas \\[12: best, doubtful, most picks].")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Folder with truth.csv and truth_assignments.csv, if the truth is known.")
    ] = None,
) -> None:
    """Make a page and figures of an association: map, rates, residuals, probabilities, single events."""
    names = [name.strip() for name in events.split(",")] if events else []
    print(write_report(load(directory), output or directory / "report", truth, names, directory.resolve().name))
