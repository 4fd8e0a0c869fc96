"""`vip data` and `vip data NAME`."""

from __future__ import annotations

from typing import Annotated

import typer

from vip.data import fetch, folder, is_there
from vip.errors import ConfigError
from vip.runs.plugins import data_sets


def data(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A data set; without it, all are listed.")] = None,
) -> None:
    """Download a public data set, check it, and say where it is; VIP_DATA_DIR overrides the place."""
    known = data_sets()
    if name is None:
        for each, data_set in sorted(known.items()):
            print(f"{each:<16} {folder(each) if is_there(each, data_set) else f'not here; get it with: vip data {each}'}")
    elif name in known:
        print(fetch(name, known[name]))
    else:
        raise ConfigError("data", name, f"expected one of {', '.join(sorted(known)) or 'none: no plugin has data sets'}")
