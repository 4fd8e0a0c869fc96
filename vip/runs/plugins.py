"""Finding classes that a configuration names: by entry point, by ``package.module:Class`` or by ``./file.py:Class``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from vip.errors import ConfigError
from vip.protocols import DataSet, HasDataSets, HasExample, HasStarter

GROUP = "vip.forward"
"""Entry-point group of forward plugins."""
COMMANDS = "vip.commands"
"""Entry-point group of the commands that plugins bring."""


def installed() -> dict[str, str]:
    """Name and class of every installed forward plugin."""
    return {entry.name: entry.value for entry in entry_points(group=GROUP)}


def find(reference: str, base_dir: Path, key: str) -> Any:
    """The class that `reference` names; a path is relative to `base_dir`.

    Raises
    ------
    ConfigError
        If there is none; `key` is where the configuration names it.
    """
    if ":" not in reference:
        return _by_entry_point(reference, key)
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


def _by_entry_point(name: str, key: str) -> Any:
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    known = ", ".join(sorted(installed())) or "none"
    raise ConfigError(key, name, f"no such plugin; installed: {known}; or name one as package.module:Class or ./file.py:Class")


def source_file(reference: str, base_dir: Path) -> Path | None:
    """The file of a reference ``./file.py:Class``; None for one of another kind.

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


def starter_config(name: str) -> str:
    """The commented configuration of a plugin, to start from.

    Raises
    ------
    ConfigError
        If there is no such plugin, or it has none.
    """
    plugin = find(name, Path(), "plugin")
    if not isinstance(plugin, HasStarter):
        raise ConfigError("plugin", name, "has no starter configuration; see its own documentation or examples/")
    return plugin.starter_config()


def write_example(name: str, directory: Path, seed: int) -> Path:
    """Let a plugin write synthetic data, and the configuration that inverts them, whose path is returned.

    Raises
    ------
    ConfigError
        If there is no such plugin, or it has no example.
    """
    plugin = find(name, Path(), "plugin")
    if not isinstance(plugin, HasExample):
        raise ConfigError("plugin", name, "has no synthetic example; see its own documentation or examples/")
    return plugin.write_example(directory, seed)


def data_sets() -> dict[str, DataSet]:
    """Public data sets of all installed plugins, by name; a plugin that cannot be imported has none: see `vip doctor`."""
    found: dict[str, DataSet] = {}
    for entry in sorted(entry_points(group=GROUP)):
        try:
            plugin = entry.load()
        except Exception:  # a user's module may raise anything
            continue
        if isinstance(plugin, HasDataSets):
            found |= plugin.data_sets
    return found
