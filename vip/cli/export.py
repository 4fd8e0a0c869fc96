"""`vip export RUN_DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vip.cli.options import Overwrite, RunDirectory
from vip.errors import StoreError
from vip.inversion import load_run
from vip.result import Result
from vip.store import Store


def export(
    run_dir: RunDirectory,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="NetCDF file.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write samples, prior, data and predictions as one NetCDF file in ArviZ's schema."""
    file = output or run_dir / "posterior.nc"
    if file.exists() and not overwrite:
        raise StoreError(f"{file}: exists; choose another --output or use --overwrite")
    store = Store(run_dir)
    Result(store, load_run(store)).to_datatree().to_netcdf(file, engine="h5netcdf")
    print(file)
