"""Job scripts for schedulers: one scheduler a file, all with the same functions.

A *driver* job runs one command (``vip resume RUN_DIR``) and requeues itself until that is complete. It starts its Dask
*workers* as further jobs, through dask-jobqueue. Scripts are pure strings, so that they can be shown before they are submitted.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from vip.errors import ConfigError

if TYPE_CHECKING:
    from vip.jobs.contract import Scheduler

SCHEDULERS = {"slurm": "vip.jobs.slurm", "sge": "vip.jobs.sge"}
"""Module of each scheduler."""


def scheduler(name: str) -> Scheduler:
    """The module of a scheduler; `vip.jobs.contract.Scheduler` says what it can do.

    Raises
    ------
    ConfigError
        There is no such scheduler.
    """
    if name not in SCHEDULERS:
        raise ConfigError("--scheduler", name, f"must be one of {', '.join(SCHEDULERS)}")
    return cast("Scheduler", importlib.import_module(SCHEDULERS[name]))
