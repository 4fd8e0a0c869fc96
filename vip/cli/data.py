"""`vip data [NAME]`."""

from __future__ import annotations

from typing import Annotated

import typer

from vip.data import fetch, folder_of
from vip.errors import ConfigError
from vip.runs.plugins import data_sets


def data(name: Annotated[str | None, typer.Argument(help="Data set; without it all are listed.")] = None) -> None:
    """Download a public data set, check it, and say where it is; VIP_DATA_DIR overrides the place."""
    known = data_sets()
    if name is None:
        for each in sorted(known):
            print(f"{each:<16} {folder_of(each)}")
        return
    if name not in known:
        raise ConfigError("data", name, f"expected one of {', '.join(sorted(known))}")
    print(fetch(name, known[name].url, known[name].files))
