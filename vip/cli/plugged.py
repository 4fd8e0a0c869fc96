"""Commands that are imported when they are called: our own, and those that plugins bring by entry points ``vip.commands``.

The entry point names a function with typer's annotations, a `typer.Typer`, or a command of click's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

import typer
from typer.core import TyperCommand

from vip.errors import ConfigError
from vip.plugins import COMMANDS

OWN = "vip-inversion"
"""This distribution; its commands come before those of others."""


@runtime_checkable
class Command(Protocol):
    """A command line that reads its arguments, runs, and ends the process, as click's commands and typer's do."""

    def main(self, args: list[str], prog_name: str) -> Any:
        """Run with these arguments; `prog_name` is what help and errors call it."""


def add_commands(app: typer.Typer, taken: Collection[str]) -> None:
    """Add the commands of all plugins to those of `vip`, without importing one; `taken` are the names that `vip` has."""
    for entry in commands(taken):
        add_command(app, entry, f"From {entry.module}; more: vip {entry.name} --help", "Commands of plugins")


def add_command(app: typer.Typer, entry: EntryPoint, summary: str, panel: str | None = None) -> None:
    """Add a command that is imported when it is called; `summary` and `panel` are what `vip --help` says of it, and where."""
    app.command(entry.name, cls=_Elsewhere, help=summary, rich_help_panel=panel, add_help_option=False)(_later(entry))


def commands(taken: Collection[str]) -> Iterator[EntryPoint]:
    """Entry points of all commands, except those whose names `vip` or another plugin has taken: these are named on stderr."""
    owners = dict.fromkeys(taken, "vip itself")
    for entry in sorted(entry_points(group=COMMANDS), key=lambda entry: (_distribution(entry) != OWN, entry.name, entry.value)):
        if entry.name in owners:
            print(
                f"vip: command {entry.name} of {_distribution(entry)} ({entry.value}) is left out: "
                f"{owners[entry.name]} has a command of this name",
                file=sys.stderr,
            )
            continue
        owners[entry.name] = _distribution(entry)
        yield entry


def load(entry: EntryPoint) -> Command:
    """Import a command.

    Raises
    ------
    ConfigError
        If it cannot be imported, or is not a command.
    """
    try:
        found = entry.load()
    except Exception as error:  # a user's module may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        remedy = f"cannot be imported: {reason}; mend or uninstall {_distribution(entry)}"
        raise ConfigError(f"command {entry.name}", entry.value, remedy) from error
    if isinstance(found, Command):
        return found
    if not callable(found):
        raise ConfigError(f"command {entry.name}", entry.value, "is no command: expected a function, or a command of click's")
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        found.command(entry.name)(function)
    command: Command = typer.main.get_command(found)
    return command


class _Elsewhere(TyperCommand):
    """A command that leaves its arguments, and `--help` too, to another."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the arguments as they are."""
        ctx.args = args
        return args


def _later(entry: EntryPoint) -> Callable[[typer.Context], None]:
    def call(ctx: typer.Context) -> None:
        load(entry).main(args=ctx.args, prog_name=ctx.command_path)

    return call


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unknown distribution"
