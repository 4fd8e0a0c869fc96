"""The `vip` command and its exit codes: 0 done, 1 failed, 2 wrong input, 75, 130 and 143 stopped by a signal and saved."""

from __future__ import annotations

import traceback
from importlib import metadata
from typing import Annotated

import typer

from vip.cli.calibrate import calibrate
from vip.cli.cancel import cancel
from vip.cli.check import check
from vip.cli.cite import cite
from vip.cli.compare import compare
from vip.cli.data import data
from vip.cli.doctor import doctor
from vip.cli.export import export
from vip.cli.init import init
from vip.cli.plugged import add_commands
from vip.cli.plugins import plugins
from vip.cli.report import ReportCommand, report
from vip.cli.resume import resume
from vip.cli.run import run
from vip.cli.simulate import simulate
from vip.cli.status import status
from vip.cli.submit import submit
from vip.dispatch.mpi import fail, launched_as
from vip.errors import VIPError

app = typer.Typer(
    name="vip",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.", is_eager=True)] = False,
) -> None:
    """Bayesian inversion: the posterior of every earth model that fits the data."""
    if version:
        print(f"vip {metadata.version('vip-inversion')}")
        raise typer.Exit


RUNS = (run, resume, submit, status, cancel, report, compare, export, cite)
COMMANDS = (init, simulate, check, *RUNS, calibrate, data, plugins, doctor)
for command in COMMANDS:
    app.command(cls=ReportCommand if command is report else None)(command)


def main() -> None:
    """Run a command; an error that a user can cure is one line and an exit code, not a traceback."""
    try:
        add_commands(app, {command.__name__ for command in COMMANDS})
        app()
    except VIPError as error:
        fail(f"vip: {error}", error.exit_code)
    except OSError as error:  # a path that cannot be read or written
        fail(f"vip: {error.filename or ''}: {error.strerror or error}", 1)
    except Exception:  # of one rank among several, which would wait for it
        if launched_as()[1] == 1:
            raise
        fail(traceback.format_exc(), 1)
