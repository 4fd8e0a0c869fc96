"""What forward plugins do before there is a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vip.errors import ConfigError
from vip.plugins import find


def starter(name: str, ability: str) -> Any:
    """The function of a plugin with which it helps to start: "starter_config" or "write_example".

    Raises
    ------
    ConfigError
        If there is no such plugin or it has no such function.
    """
    plugin = find(name, Path(), "plugin")
    if not hasattr(plugin, ability):
        raise ConfigError("plugin", name, f"has no {ability.replace('_', ' ')}; see its own documentation or examples/")
    return getattr(plugin, ability)
