"""`vip init PLUGIN`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vip.cli.options import Overwrite, PluginName
from vip.errors import StoreError
from vip.runs.plugins import starter_config


def init(
    plugin: PluginName,
    file: Annotated[Path | None, typer.Argument(help="Configuration to write; PLUGIN.toml by default.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a commented configuration to start from."""
    file = file or Path(f"{plugin}.toml")
    if file.exists() and not overwrite:
        raise StoreError(f"{file}: exists; name another file or use --overwrite")
    file.write_text(starter_config(plugin), encoding="utf-8")
    print(f"{file}: name your files in it; `vip simulate {plugin} DIRECTORY` writes some that show how they look")
