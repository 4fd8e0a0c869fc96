"""Emulators: traces of any place, learnt from traces of some, as the competitors of a table of Green's functions.

Seven are those of Spurio Mancini, Piras, Ferreira, Hobson & Joachimi (2021), "Accelerating Bayesian microseismic event location
with deep learning". A method is a module with `fit`; what it returns is an `emulator.Emulator`.
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vip.errors import ConfigError

if TYPE_CHECKING:
    from vip.forward.waveform.emulators.emulator import Emulator
    from vip.protocols import Floats

PAPER = {
    "direct": "Direct",
    "pca_nn": "ComponentsByNetwork",
    "pca_gp": "ComponentsByProcesses",
    "ae_nn": "CodesByNetwork",
    "ae_gp": "CodesByProcesses",
    "cvae": "ConditionalDecoder",
    "wgan_gp": "Generator",
}
"""The seven methods of the paper: name of the module, and of its class."""
METHODS = PAPER | {"scattered": "Scattered", "kriged": "Kriged"}
"""All methods."""


def fit(method: str, positions: Floats, traces: Floats, receiver: Floats, seed: int = 0, **options: Any) -> Emulator:
    """Train an emulator.

    Parameters
    ----------
    method : str
        Name of a method, one of `METHODS`.
    positions : (n, 3) array
        x, y and depth of the sources, m.
    traces : (n, samples) array
        Their traces, in any unit.
    receiver : (3,) array
        x, y and depth of the receiver, m.
    seed : int
        The same seed makes the same emulator on the same kind of processor.
    **options
        Those that the method's own `fit` takes. Methods of the paper take `whole` (bool): whether peaks are moved by whole
        samples, as there. Networks take `epochs` (int): passes over the data, at most; `kept` (Path): folder of the state from
        which a training that was killed goes on; and `progress`: a function called after each epoch.

    Raises
    ------
    ConfigError
        If the method or an option is unknown, shapes do not fit, numbers are not finite, a trace has no positive sample, or one
        place has two traces.
    """
    function = _module(method).fit
    for option in options.keys() - signature(function).parameters.keys():
        taken = [name for name, each in signature(function).parameters.items() if each.kind is each.KEYWORD_ONLY]
        raise ConfigError(option, options[option], f"is no option of the method {method}, which takes {', '.join(taken)}")
    return function(positions, traces, receiver, seed, **options)  # type: ignore[no-any-return]


def load(file: Path) -> Emulator:
    """Emulator that `Emulator.save` wrote, of whatever method.

    Raises
    ------
    ConfigError
        If the file is damaged, has another version, or is no emulator.
    """
    from vip.forward.waveform.emulators.emulator import read

    about, tensors = read(file)
    try:
        method = getattr(_module(about["method"]), METHODS[about["method"]])
    except ConfigError as error:
        raise ConfigError("method", about["method"], error.remedy, file) from error
    return method.restored(about, tensors)  # type: ignore[no-any-return]


def _module(method: str) -> Any:
    if method not in METHODS:
        raise ConfigError("method", method, f"must be one of {', '.join(METHODS)}")
    return import_module(f"{__name__}.{method}")
