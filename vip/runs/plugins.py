"""Abilities of forward plugins that are used before there is a problem."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from vip.errors import ConfigError
from vip.plugins import FORWARDS, find
from vip.protocols import DataSet, HasDataSets, HasExample, HasStarter


def starter_config(name: str) -> str:
    """A configuration to start from, as the plugin of this name gives it.

    Raises
    ------
    ConfigError
        If there is no such plugin, or it offers none.
    """
    plugin = find(name, Path(), "plugin")
    if not isinstance(plugin, HasStarter):
        raise ConfigError("plugin", name, "has no starter configuration; see its own documentation or examples/")
    return plugin.starter_config()


def write_example(name: str, directory: Path, seed: int) -> Path:
    """Write the synthetic data of the plugin of this name, and return the path of its configuration.

    Raises
    ------
    ConfigError
        If there is no such plugin, or it offers none.
    """
    plugin = find(name, Path(), "plugin")
    if not isinstance(plugin, HasExample):
        raise ConfigError("plugin", name, "has no synthetic example; see its own documentation or examples/")
    return plugin.write_example(directory, seed)


def data_sets() -> dict[str, DataSet]:
    """Public data sets of all installed plugins that can be imported, by name; `vip doctor` shows the other plugins."""
    found: dict[str, DataSet] = {}
    for entry in sorted(entry_points(group=FORWARDS)):
        try:
            plugin = entry.load()
        except Exception:  # a user's module may raise anything
            continue
        if isinstance(plugin, HasDataSets):
            found |= plugin.data_sets
    return found
