"""`vip report RUN_DIR`, or another directory of which a plugin makes a report.

The name of an entry point of the group ``vip.reports`` is a mark: directories with a file NAME.json are the plugin's. The entry
point is a command as those of ``vip.commands`` are, with options of its own; it is imported when it is called.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from vip.cli.options import Dispatch, Insecure, RunDirectory, Workers, asked_dispatch
from vip.cli.plugged import load
from vip.plugins import REPORTS
from vip.runs.inversion import load_run
from vip.runs.result import Result
from vip.runs.store import Store


class ReportCommand(TyperCommand):
    """`vip report`, which leaves a directory that has the mark of a plugin to the plugin's command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments, unless a plugin's command does, which then ends the process."""
        for entry in entry_points(group=REPORTS):
            if any((Path(argument) / f"{entry.name}.json").is_file() for argument in args):
                load(entry).main(args=args, prog_name=ctx.command_path)
        return super().parse_args(ctx, args)


command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command(cls=ReportCommand)
def report(
    run_dir: RunDirectory,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the report.")] = None,
    dispatch: Dispatch = None,
    workers: Workers = None,
    insecure: Insecure = False,
) -> None:
    """Make a page and figures of a run: maps, marginals, coverage, data fit, trace; or of what a plugin's command left."""
    from vip.report import write_report

    store = Store(run_dir)
    problem = load_run(store)
    print(write_report(Result(store, problem), output, asked_dispatch(problem, dispatch, workers, insecure)))
