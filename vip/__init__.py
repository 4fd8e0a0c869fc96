"""Bayesian inversion: the posterior of every earth model that fits the data.

The names that can be reached from here, and what is in them, are the public interface; other names may change.

>>> import vip
>>> callable(vip.invert) and callable(vip.load_problem)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vip import methods
    from vip.config import DispatchSettings
    from vip.forward import combine
    from vip.forward.association.record.door import associate
    from vip.inference import priors, transforms
    from vip.runs.build import load_problem
    from vip.runs.inversion import resume, run
    from vip.runs.objects import invert, make_problem, sample, steps
    from vip.runs.problem import Problem
    from vip.runs.result import Result
    from vip.runs.simulation import simulate
    from vip.runs.store import Store

__all__ = [
    "DispatchSettings",
    "Problem",
    "Result",
    "Store",
    "associate",
    "combine",
    "invert",
    "load_problem",
    "make_problem",
    "methods",
    "priors",
    "resume",
    "run",
    "sample",
    "simulate",
    "steps",
    "transforms",
]

_HOMES = {
    "DispatchSettings": "vip.config",
    "Problem": "vip.runs.problem",
    "Result": "vip.runs.result",
    "Store": "vip.runs.store",
    "associate": "vip.forward.association.record.door",
    "invert": "vip.runs.objects",
    "load_problem": "vip.runs.build",
    "make_problem": "vip.runs.objects",
    "resume": "vip.runs.inversion",
    "run": "vip.runs.inversion",
    "sample": "vip.runs.objects",
    "simulate": "vip.runs.simulation",
    "steps": "vip.runs.objects",
}
_MODULES = {
    "combine": "vip.forward.combine",
    "kernels_c": "vip.kernels_c",
    "methods": "vip.methods",
    "priors": "vip.inference.priors",
    "protocols": "vip.protocols",
    "testing": "vip.testing",
    "transforms": "vip.inference.transforms",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: xarray and pandas would make `import vip` slow."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "__version__":
        return import_module("importlib.metadata").version("vip-inversion")
    raise AttributeError(f"module 'vip' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be asked for, so that completion finds them."""
    return sorted({*globals(), *_HOMES, *_MODULES, "__version__"})
