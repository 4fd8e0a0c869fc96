"""Bayesian inversion: the posterior of every earth model that fits the data.

>>> import vip
>>> callable(vip.load_problem) and callable(vip.run)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vip.runs.inversion import resume, run
    from vip.runs.problem import Problem, load_problem
    from vip.runs.result import Result
    from vip.runs.store import Store

__all__ = ["Problem", "Result", "Store", "load_problem", "resume", "run"]

_HOMES = {
    "Problem": "vip.runs.problem",
    "Result": "vip.runs.result",
    "Store": "vip.runs.store",
    "load_problem": "vip.runs.problem",
    "resume": "vip.runs.inversion",
    "run": "vip.runs.inversion",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: xarray and pandas would make `import vip` slow."""
    if name == "__version__":
        return import_module("importlib.metadata").version("vip-inversion")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vip' has no attribute {name!r}")
