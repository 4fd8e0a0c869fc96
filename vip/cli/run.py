"""`vip run CONFIG.toml`."""

from __future__ import annotations

import vip
from vip.cli.carry_on import begin, tell_outcome
from vip.cli.messages import messages_shown
from vip.cli.options import ConfigFile, Dispatch, Insecure, Output, Overwrite, Workers


def run(
    config: ConfigFile,
    output: Output = None,
    overwrite: Overwrite = False,
    dispatch: Dispatch = None,
    workers: Workers = None,
    insecure: Insecure = False,
) -> None:
    """Run an inversion; Ctrl-C saves it, `vip resume` goes on."""
    with messages_shown():
        problem = vip.load_problem(config)
    tell_outcome(begin(problem, output, overwrite, dispatch, workers, insecure))
