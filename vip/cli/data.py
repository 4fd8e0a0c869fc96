"""`vip data NAME`."""

from __future__ import annotations

from typing import Annotated

import typer

from vip.data import DATASETS, fetch
from vip.errors import ConfigError


def data(name: Annotated[str, typer.Argument(metavar="NAME", help="british-isles")]) -> None:
    """Download a public data set, check it, and say where it is; VIP_DATA_DIR overrides the place."""
    if name not in DATASETS:
        raise ConfigError("data", name, f"expected one of {', '.join(DATASETS)}")
    print(fetch(name))
