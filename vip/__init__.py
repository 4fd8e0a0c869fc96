"""Bayesian inversion: the posterior of every earth model that fits the data.

>>> import vip
>>> callable(vip.load_problem) and callable(vip.run)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vip.inversion import resume, run
    from vip.problem import Problem, load_problem
    from vip.result import Result
    from vip.store import Store

__all__ = ["Problem", "Result", "Store", "load_problem", "resume", "run"]

_HOMES = {
    "Problem": "vip.problem",
    "Result": "vip.result",
    "Store": "vip.store",
    "load_problem": "vip.problem",
    "resume": "vip.inversion",
    "run": "vip.inversion",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: xarray and pandas would make `import vip` slow."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vip' has no attribute {name!r}")
