"""Finding classes that a configuration names: by entry point, by ``package.module:Class`` or by ``./file.py:Class``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from vip.errors import ConfigError

FORWARDS, METHODS, COMMANDS, REPORTS = "vip.forward", "vip.methods", "vip.commands", "vip.reports"
"""Entry-point groups."""


def installed(group: str = FORWARDS) -> dict[str, str]:
    """Name and class of every plugin that is installed in an entry-point group."""
    return {entry.name: entry.value for entry in entry_points(group=group)}


def find(reference: str, base_dir: Path, key: str, group: str = FORWARDS) -> Any:
    """The class that `reference` names, by an entry point of `group` or by its place; a path is relative to `base_dir`.

    Raises
    ------
    ConfigError
        If there is no such class; `key` is the place in the configuration that names it.
    """
    if ":" not in reference:
        return _by_entry_point(reference, key, group)
    place, _, name = reference.rpartition(":")
    file = source_file(reference, base_dir)
    if file is not None and not file.is_file():
        raise ConfigError(key, reference, f"there is no file {file}")
    if not place or not name:
        raise ConfigError(key, reference, "expected package.module:Class or ./file.py:Class")
    try:
        module = _from_file(file) if file is not None else importlib.import_module(place)
    except Exception as error:  # a user's module may raise anything
        raise ConfigError(key, reference, f"cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        raise ConfigError(key, reference, f"{place} has no {name}")
    return getattr(module, name)


def _by_entry_point(name: str, key: str, group: str) -> Any:
    for entry in entry_points(group=group, name=name):
        return entry.load()
    known = ", ".join(sorted(installed(group))) or "none"
    raise ConfigError(key, name, f"no such plugin; installed: {known}; or name one as package.module:Class or ./file.py:Class")


def source_file(reference: str, base_dir: Path) -> Path | None:
    """The file of a reference ``./file.py:Class``; None for a reference of another kind.

    Examples
    --------
    >>> source_file("./decay.py:Decay", Path("there"))
    PosixPath('there/decay.py')
    """
    place = reference.rpartition(":")[0]
    return base_dir / place if place.endswith(".py") else None


def _from_file(path: Path) -> Any:
    # The module must be found again by its name when its functions are sent to other processes.
    name = f"vip_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
