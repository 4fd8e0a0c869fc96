"""`vip cite RUN_DIR`."""

from __future__ import annotations

from vip.cli.options import RunDirectory
from vip.runs.citation import citation
from vip.runs.store import Store


def cite(run_dir: RunDirectory) -> None:
    """Print, as BibTeX, the papers of the method, solvers and data that a run used, and of this package."""
    print(citation(Store(run_dir)))
