"""Plain functions as forwards: what they take and return is found out once, and an error if it is not what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vip.errors import ConfigError
from vip.protocols import Floats, ModelSpace, Variable

WANTED = "return (n,) and (n, d) of models (n, d), or a number and (d,) of one model (d,); or log-densities alone"


class Function:
    """A function of models as a `vip.protocols.Forward`.

    Parameters
    ----------
    function : callable
        Function of models (n, d) or of one model (d,) that returns log-densities and gradients, or log-densities alone.
    models : (m, d) float
        Models to try the function at.
    name : str
        Name of the function in messages.

    Raises
    ------
    ConfigError
        If the function fails at a model, or what it returns has another shape.
    """

    includes_prior = False

    def __init__(self, function: Callable[[Floats], Any], models: Floats, name: str) -> None:
        self._function = function
        d = models.shape[1]
        self.space = ModelSpace((Variable("parameter", "1", ("entry",), {"entry": np.arange(float(d))}),))
        few = models[: 3 if d == 2 else 2]  # their number must not be that of the parameters
        of_many, of_one = _tried(function, few.copy()), _tried(function, few[0].copy())
        if _shapes(of_many) in ([few.shape[:1], few.shape], [few.shape[:1]]):
            self._of_many, n_parts = True, len(_shapes(of_many))
        elif _shapes(of_one) in ([(), (d,)], [()]):
            self._of_many, n_parts = False, len(_shapes(of_one))
        else:
            raise ConfigError(name, _described(of_many, of_one, few.shape), WANTED)
        self.has_gradient = n_parts == 2

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-densities (n,) and gradients (n, d) of models (n, d), zero where the function gives none."""
        if self._of_many:
            found = _parts(self._function(models.copy()))
        else:
            found = [
                np.stack(column) for column in zip(*(_parts(self._function(model.copy())) for model in models), strict=True)
            ]
        value = np.asarray(found[0], dtype=np.float64)
        return value, np.asarray(found[1], dtype=np.float64) if self.has_gradient else np.zeros(models.shape)

    def log_likelihood(self, models: Floats) -> Floats:
        """Log-densities (n,) of models (n, d)."""
        return self(models)[0]


def density_of(function: Callable[[Floats], Any], points: Floats) -> Function:
    """A log-density as a forward that includes the prior."""
    made = Function(function, points, "the log-density")
    made.includes_prior = True
    return made


def _tried(function: Callable[[Floats], Any], models: Floats) -> list[Any] | Exception:
    """What a function returns, or the error that it raises."""
    try:
        return _parts(function(models))
    except Exception as error:  # a user's function may raise anything
        return error


def _parts(returned: Any) -> list[Any]:
    """What a function returned, as arrays: log-densities and gradients, or log-densities alone."""
    return [np.asarray(part) for part in returned] if isinstance(returned, tuple | list) else [np.asarray(returned)]


def _shapes(found: list[Any] | Exception) -> list[tuple[int, ...]]:
    return [] if isinstance(found, Exception) else [np.shape(part) for part in found]


def _described(of_many: list[Any] | Exception, of_one: list[Any] | Exception, shape: tuple[int, ...]) -> str:
    """In words, what the function returned for models of this shape, and for one of them."""
    said = [
        f"{type(found).__name__}: {found}" if isinstance(found, Exception) else f"shapes {_shapes(found)}"
        for found in (of_many, of_one)
    ]
    return f"models {shape} gave {said[0]}; one model {shape[1:]} gave {said[1]}"
