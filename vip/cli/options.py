"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Configuration file.")]
RunDirectory = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder that `vip run` made.")]
PluginName = Annotated[str, typer.Argument(metavar="PLUGIN", help="Name of a forward plugin, see `vip plugins`.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
