"""`vip resume RUN_DIR`."""

from __future__ import annotations

import vip
from vip.cli.options import RunDirectory
from vip.cli.outcome import tell_outcome
from vip.cli.progress import shown
from vip.cli.signals import stop_on_signal


def resume(run_dir: RunDirectory) -> None:
    """Continue a run that was stopped or killed; its samples will be those of a run that never was."""
    with stop_on_signal() as stop, shown() as tell:
        result = vip.resume(run_dir, tell, stop)
    tell_outcome(result, stop)
