"""`vip status RUN_DIR`."""

from __future__ import annotations

from vip.cli.options import RunDirectory
from vip.progress import run_status
from vip.store import Store


def status(run_dir: RunDirectory) -> None:
    """Say how far a run is and when it will be done."""
    for name, value in run_status(Store(run_dir)).items():
        print(f"{name:>22}  {value}")
