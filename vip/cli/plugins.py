"""`vip plugins` and `vip plugins new NAME`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vip.errors import ConfigError
from vip.plugins import installed
from vip.runs import new_plugin


class Action(StrEnum):
    """What `vip plugins` is to do."""

    LIST = "list"
    NEW = "new"


def plugins(
    action: Annotated[Action, typer.Argument(help="List those that are installed, or write a new one.")] = Action.LIST,
    name: Annotated[str | None, typer.Argument(help="Name of the new plugin and of its folder.")] = None,
) -> None:
    """List the forward plugins that are installed, or write a package to start a new one from: `vip plugins new NAME`."""
    if action == Action.NEW:
        _write(name)
        return
    for each, place in sorted(installed().items()):
        print(f"{each:<16} {place}")
    print('Your own: plugin = "./file.py:Class" or "package.module:Class" in [forward], or a package by `vip plugins new NAME`')


def _write(name: str | None) -> None:
    if name is None:
        raise ConfigError("NAME", "", "name the new plugin: vip plugins new NAME")
    folder = new_plugin.write(name, Path())
    print(folder)
    print(f"Next: pip install --editable {folder}; cd {folder}; python -m pytest; vip init {name}; vip check {name}.toml")
