"""The methods, one a file: the settings of a method, and how its algorithm is built from them. The settings are the method.

>>> import vip.methods
>>> vip.methods.SSVGD(particles=50).iterations
2000

A configuration names one of `BUILT_IN`, an entry point of the group ``vip.methods``, or a class of the user's as
``package.module:Class`` or ``./file.py:Class``. Such a class derives from `Method`, `ChainMethod` or `VariationalMethod`.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vip.errors import ConfigError
from vip.plugins import METHODS, find, installed

if TYPE_CHECKING:
    from vip.methods.advi import ADVI
    from vip.methods.base import Method
    from vip.methods.chains import AdjustedMethod, ChainMethod
    from vip.methods.flow import Flow
    from vip.methods.hmc import HMC
    from vip.methods.mala import MALA
    from vip.methods.metropolis import Metropolis
    from vip.methods.nested import Nested
    from vip.methods.pathfinder import Pathfinder
    from vip.methods.projected_svgd import ProjectedSVGD
    from vip.methods.sgld import SGLD
    from vip.methods.ssvgd import SSVGD
    from vip.methods.steps import StepMethod
    from vip.methods.svgd import SVGD
    from vip.methods.tempered import Tempered
    from vip.methods.variational import VariationalMethod

__all__ = [
    "ADVI",
    "BUILT_IN",
    "HMC",
    "MALA",
    "SGLD",
    "SSVGD",
    "SVGD",
    "AdjustedMethod",
    "ChainMethod",
    "Flow",
    "Method",
    "Metropolis",
    "Nested",
    "Pathfinder",
    "ProjectedSVGD",
    "StepMethod",
    "Tempered",
    "VariationalMethod",
    "method_class",
    "named",
]

BUILT_IN = {
    "advi": "ADVI",
    "flow": "Flow",
    "pathfinder": "Pathfinder",
    "svgd": "SVGD",
    "projected-svgd": "ProjectedSVGD",
    "ssvgd": "SSVGD",
    "sgld": "SGLD",
    "mala": "MALA",
    "hmc": "HMC",
    "metropolis": "Metropolis",
    "tempered": "Tempered",
    "nested": "Nested",
}
"""Class of every method of this package, by its name in a configuration."""

_HOMES = {cls: name.replace("-", "_") for name, cls in BUILT_IN.items()} | {
    "Method": "base",
    "StepMethod": "steps",
    "ChainMethod": "chains",
    "AdjustedMethod": "chains",
    "VariationalMethod": "variational",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: algorithms need SciPy, and a command may need no algorithm."""
    if name in _HOMES:
        return getattr(import_module(f"vip.methods.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'vip.methods' has no attribute {name!r}")


def method_class(reference: str, base_dir: Path) -> "type[Method]":
    """The class of the method that a configuration names; a path is relative to `base_dir`.

    Raises
    ------
    ConfigError
        If there is no such class, or it is not a method.
    """
    if reference in BUILT_IN:
        return named(reference)
    if ":" not in reference and reference not in installed(METHODS):
        names = ", ".join(repr(name) for name in [*BUILT_IN, *installed(METHODS)])
        raise ConfigError("name", reference, f"expected one of {names}, package.module:Class or ./file.py:Class")
    found = find(reference, base_dir, "name", METHODS)
    base = import_module("vip.methods.base").Method
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError("name", reference, "expected a class that derives from vip.methods.Method")
    return found


def named(name: str) -> "type[Method]":
    """The class of a method of this package by its name.

    Examples
    --------
    >>> named("projected-svgd").__name__
    'ProjectedSVGD'
    """
    cls: type[Method] = __getattr__(BUILT_IN[name])
    return cls
