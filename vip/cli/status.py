"""`vip status RUN_DIR`."""

from __future__ import annotations

from vip.cli.options import RunDirectory
from vip.runs.status import run_status
from vip.runs.store import Store
from vip.runs.submission import queue_status


def status(run_dir: RunDirectory) -> None:
    """Say how far a run is and when it will be done; for a submitted run, also what its scheduler says."""
    store = Store(run_dir)
    for name, value in (run_status(store) | queue_status(store)).items():
        print(f"{name:>22}  {value}")
