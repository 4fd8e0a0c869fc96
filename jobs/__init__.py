"""Job scripts for schedulers, one scheduler a file, all with the same methods.

A *driver* job runs one command (``vip resume RUN_DIR``) and requeues itself until that is complete. It starts its Dask
*workers* as further jobs, through dask-jobqueue. Scripts are pure strings, so that they can be shown before they are submitted.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from vip.errors import ConfigError

if TYPE_CHECKING:
    from vip.jobs.contract import Scheduler

SCHEDULERS = {"slurm": "vip.jobs.slurm:Slurm", "sge": "vip.jobs.sge:GridEngine"}
"""Module and class of each scheduler."""


def scheduler(name: str) -> Scheduler:
    """A scheduler by its name; `vip.jobs.contract.Scheduler` says what it can do.

    Raises
    ------
    ConfigError
        If there is no such scheduler.
    """
    if name not in SCHEDULERS:
        raise ConfigError("--scheduler", name, f"must be one of {', '.join(SCHEDULERS)}")
    module, _, class_name = SCHEDULERS[name].partition(":")
    return cast("Scheduler", getattr(importlib.import_module(module), class_name)())
