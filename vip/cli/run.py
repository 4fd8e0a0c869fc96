"""`vip run CONFIG.toml`."""

from __future__ import annotations

import vip
from vip.cli.messages import told
from vip.cli.options import ConfigFile, Dispatch, Insecure, Output, Overwrite, Workers
from vip.cli.outcome import tell_outcome
from vip.cli.signals import stop_on_signal
from vip.progress import shown
from vip.runs import engines
from vip.runs.submission import with_options


def run(
    config: ConfigFile,
    output: Output = None,
    overwrite: Overwrite = False,
    dispatch: Dispatch = None,
    workers: Workers = None,
    insecure: Insecure = False,
) -> None:
    """Run an inversion; Ctrl-C saves it, `vip resume` goes on."""
    with told():
        problem = vip.load_problem(config)
    settings = with_options(problem.dispatch, kind=dispatch, workers=workers, insecure=insecure or None)
    settings = engines.choose(problem, settings)
    if engines.serves_only(problem, settings):
        return
    with stop_on_signal() as stop, told(), shown() as tell:
        result = vip.run(problem, output, overwrite, tell, stop, settings)
    tell_outcome(result, stop)
