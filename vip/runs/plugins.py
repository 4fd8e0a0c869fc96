"""What forward plugins do before there is a problem."""

from __future__ import annotations

import contextlib
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
        If there is no such plugin, or it has none.
    """
    plugin = find(name, Path(), "plugin")
    if not isinstance(plugin, HasStarter):
        raise ConfigError("plugin", name, "has no starter config; see its own documentation or examples/")
    return plugin.starter_config()


def write_example(name: str, directory: Path, seed: int) -> Path:
    """Write the synthetic data of the plugin of this name, and return the path of its configuration.

    Raises
    ------
    ConfigError
        If there is no such plugin, or it has none.
    """
    plugin = find(name, Path(), "plugin")
    if not isinstance(plugin, HasExample):
        raise ConfigError("plugin", name, "has no example; see its own documentation or examples/")
    return plugin.write_example(directory, seed)


def data_sets() -> dict[str, DataSet]:
    """Public data sets of all installed plugins that can be imported, by name."""
    found: dict[str, DataSet] = {}
    for entry in entry_points(group=FORWARDS):
        with contextlib.suppress(ImportError):  # `vip doctor` reports it
            plugin = entry.load()
            found |= plugin.data_sets if isinstance(plugin, HasDataSets) else {}
    return found
