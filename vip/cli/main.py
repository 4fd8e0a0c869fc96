"""The `vip` command and its exit codes: 0 done, 1 failed, 2 wrong input, 75, 130 and 143 stopped by a signal and saved."""

from __future__ import annotations

import ast
import pkgutil
import traceback
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import Annotated

import typer

from vip import plugins
from vip.cli.plugged import add_command, add_commands
from vip.errors import VIPError

RUNS = ("run", "resume", "submit", "status", "cancel", "report", "compare", "export", "cite")
COMMANDS = ("init", "simulate", "check", *RUNS, "calibrate", "data", "plugins", "doctor")
"""Commands in the order of `vip --help`: each is in the file of its name, which is imported when the command is called."""

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


def entries() -> list[EntryPoint]:
    """The commands as those of plugins are named; the command of a file is a function of its name, or `command`."""
    special = {"report": "command"}
    return [EntryPoint(name, f"vip.cli.{name}:{special.get(name, name)}", plugins.COMMANDS) for name in COMMANDS]


def summary(name: str) -> str:
    """The first line of what a command says of itself, read without importing it."""
    source = pkgutil.get_data("vip.cli", f"{name}.py") or b""
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name)
    return (ast.get_docstring(next(functions)) or "").partition("\n")[0]


for entry in entries():
    add_command(app, entry, summary(entry.name))


def main() -> None:
    """Run a command; an error that a user can cure is one line and an exit code, not a traceback."""
    try:
        add_commands(app, COMMANDS)
        app()
    except VIPError as error:
        _fail(f"vip: {error}", error.exit_code)
    except OSError as error:  # a path that cannot be read or written
        _fail(f"vip: {error.filename or ''}: {error.strerror or error}", 1)
    except Exception:  # of one rank among several, which would wait for it
        from vip.dispatch.mpi import launched_as

        if launched_as()[1] == 1:
            raise
        _fail(traceback.format_exc(), 1)


def _fail(message: str, exit_code: int) -> None:
    from vip.dispatch.mpi import fail

    fail(message, exit_code)
