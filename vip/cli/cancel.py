"""`vip cancel RUN_DIR`."""

from __future__ import annotations

from vip.cli.options import RunDirectory
from vip.runs.store import Store
from vip.runs.submission import cancel as cancel_run


def cancel(run_dir: RunDirectory) -> None:
    """End a submitted run and its workers; it is saved, and can be resumed or submitted again."""
    cancelled = cancel_run(Store(run_dir))
    print(f"cancelled: {', '.join(cancelled)}" if cancelled else "nothing to cancel: the scheduler has no job of it")
