"""`vip simulate PLUGIN DIRECTORY`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vip.cli.options import Overwrite, PluginName
from vip.errors import StoreError
from vip.runs.plugins import write_example


def simulate(
    plugin: PluginName,
    directory: Annotated[Path, typer.Argument(help="Folder to write to.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise and the model.")] = 1,
    overwrite: Overwrite = False,
) -> None:
    """Write synthetic data with a known truth, and a configuration that inverts them."""
    if directory.exists() and any(directory.iterdir()) and not overwrite:
        raise StoreError(f"{directory}: is not empty; name another folder or use --overwrite")
    print(write_example(plugin, directory, seed))
