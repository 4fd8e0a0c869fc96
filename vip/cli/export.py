"""`vip export RUN_DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vip.cli.options import Dispatch, Insecure, Overwrite, RunDirectory, Workers, asked_dispatch, check_are_free
from vip.errors import ConfigError
from vip.protocols import Exports
from vip.runs.inversion import load_run
from vip.runs.result import Result
from vip.runs.store import Store

NETCDF = "netcdf"


def export(
    run_dir: RunDirectory,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File, or folder, to write.")] = None,
    format: Annotated[str, typer.Option("--format", "-f", help="netcdf, or one of the forward's, such as quakeml.")] = NETCDF,
    overwrite: Overwrite = False,
    dispatch: Dispatch = None,
    workers: Workers = None,
    insecure: Insecure = False,
) -> None:
    """Write samples, prior, data and predictions as NetCDF in ArviZ's schema, or results in a format of the forward's."""
    store = Store(run_dir)
    result = Result(store, load_run(store))
    forward = result.problem.forward
    suffixes = {NETCDF: ".nc", **(forward.formats if isinstance(forward, Exports) else {})}
    if format not in suffixes:
        raise ConfigError("--format", format, f"expected one of {', '.join(suffixes)}")
    file = output or run_dir / f"posterior{suffixes[format]}"
    if not overwrite:
        check_are_free(file)
    if isinstance(forward, Exports) and format != NETCDF:
        forward.export(result.equal().astype(float), format, file)
    else:
        settings = asked_dispatch(result.problem, dispatch, workers, insecure)
        result.to_datatree(settings).to_netcdf(file, engine="h5netcdf")
    print(file)
