"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vip.errors import StoreError

if TYPE_CHECKING:
    import vip

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Configuration file.")]
RunDirectory = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder that `vip run` made.")]
PluginName = Annotated[str, typer.Argument(metavar="PLUGIN", help="Name of a forward plugin, see `vip plugins`.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Run directory.")]
Dispatch = Annotated[
    str | None,
    typer.Option("--dispatch", help="Who evaluates the particles: auto, serial, local, slurm, sge, mpi or tls://host:port."),
]
Workers = Annotated[int | None, typer.Option("--workers", help="Worker processes, jobs or MPI ranks.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Use a tcp:// scheduler: anyone who reaches it can run code as you.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def check_are_free(*paths: Path) -> None:
    """Raise an error if one of the paths that a command is to write exists."""
    for path in paths:
        if path.exists():
            raise StoreError(f"{path}: exists; choose another --output or use --overwrite")


def asked_dispatch(
    problem: vip.Problem, dispatch: str | None, workers: int | None, insecure: bool
) -> vip.DispatchSettings | None:
    """Who is to simulate, by the options of a command; None without ``--dispatch``: this process."""
    from vip.runs.engines import choose
    from vip.runs.submission import with_options

    if dispatch is None:
        return None
    return choose(problem, with_options(problem.dispatch, kind=dispatch, workers=workers, insecure=insecure or None))
