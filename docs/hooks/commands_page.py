"""Every command with its arguments and options, from the command line itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import vip.cli.main
from vip.cli import plugged
from vip.plugins import REPORTS


def page() -> str:
    """The whole page."""
    title = f"# Commands\n\n{vip.cli.main.__doc__}\n`vip COMMAND --help` says on a terminal what this page says.\n"
    return title + "".join(_text(name, command) for name, command in commands().items())


def commands() -> dict[str, Any]:
    """Every command by its name, in the order of ``vip --help``; of those and of the reports that plugins bring, ours."""
    own = {entry.name: plugged.load(entry) for entry in vip.cli.main.entries()}
    brought = {entry.name: plugged.load(entry) for entry in plugged.commands(own) if entry.module.startswith("vip.")}
    reports = [entry for entry in entry_points(group=REPORTS) if entry.module.startswith("vip.")]
    return (
        own
        | {name: command for group in brought.items() for name, command in _single(*group)}
        | {f"report ({entry.name})": plugged.load(entry) for entry in reports}
    )


def _single(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command, or those of a group, such as ``vip amortise train``."""
    within = getattr(command, "commands", None)
    yield from [(name, command)] if within is None else ((f"{name} {each}", found) for each, found in within.items())


def options(command: Any) -> list[Any]:
    """Its options, without ``--help``."""
    return [each for each in command.params if each.param_type_name == "option"]


def _text(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = " ".join(["vip", name.partition(" (")[0], *map(_place, arguments), *(["[OPTIONS]"] if options(command) else [])])
    rows = [(f"`{_place(each)}`".replace("|", "\\|"), each.help) for each in arguments]
    rows += [(_names(each), each.help + _default(each)) for each in options(command)]
    table = ["| | Meaning |", "|---|---|"] * bool(rows) + [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"\n## vip {name}\n", inspect.cleandoc(command.help), "", f"```text\n{usage}\n```", "", *table, ""])


def _place(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).strip("{}[]")
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    return names if option.is_flag else f"{names} {option.name.upper()}"


def _default(option: Any) -> str:
    return "" if option.default is None or option.is_flag else f" `{option.default}` by default."
