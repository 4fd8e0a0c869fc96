"""Forwards made from others: the sum of several, one whose code gives no gradient, one with other parameters.

A plugin returns one of them from its `from_settings`, or is a subclass; see examples/plugins. Each is a forward again, so
that they nest, and each has the abilities of its parts: to predict data, run threads, check a prior, give facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.interpolate import make_interp_spline

from vip.errors import ConfigError, ForwardError
from vip.protocols import (
    ByDifferences,
    ChecksPrior,
    Cites,
    Floats,
    Forward,
    HasDataLabel,
    HasFacts,
    IncludesPrior,
    LikelihoodOnly,
    ModelSpace,
    ReadsFiles,
    Simulates,
    UsesThreads,
    Variable,
)


class _Combined:
    """Base of forwards made from others: abilities that it has from its parts."""

    space: ModelSpace
    ndim: int

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = tuple(parts)
        self.inputs: list[Path] = [file for part in parts if isinstance(part, ReadsFiles) for file in part.inputs]
        # Attributes that are there only if a part has them: whoever looks for an ability must not find what is not there.
        if any(isinstance(part, UsesThreads) for part in parts):
            self.threads = 1
        if runs := sum(part.gradient_runs for part in parts if isinstance(part, ByDifferences)):
            self.gradient_runs = runs
        if any(isinstance(part, Cites) for part in parts):
            self.papers = tuple(paper for part in parts if isinstance(part, Cites) for paper in part.papers)
        labels = {part.data_label for part in parts if isinstance(part, HasDataLabel)} - {""}
        if len(labels) == 1:
            self.data_label = labels.pop()

    def facts(self) -> list[tuple[str, str]]:
        """Facts of all parts, shown before a run."""
        return [fact for part in self.parts if isinstance(part, HasFacts) for fact in part.facts()]

    def _call(self, function: Callable[[Floats], Any], models: Floats) -> Any:
        """Result of a part, computed with the threads that were given to the whole.

        Raises
        ------
        ForwardError
            If a particle fails. The error has no values of the others, since those of a part are not those of the whole.
        """
        for part in self.parts:
            if isinstance(part, UsesThreads):
                part.threads = self.threads
        try:
            return function(models)
        except ForwardError as error:
            raise ForwardError(error.reasons) from error


class Joint(_Combined):
    """Several data sets and one model: the sum of forwards whose errors are independent of each other.

    The model has the variables of all forwards; variables of one name are one variable, which several data sets then constrain.
    Predicted data are those of the forwards, one after the other, if all predict them.

    Parameters
    ----------
    forwards : sequence of Forward

    Raises
    ------
    ConfigError
        If variables of one name differ, or a forward includes the prior, which would count it twice.
    """

    def __init__(self, forwards: Sequence[Forward]) -> None:
        super().__init__(forwards)
        for forward in forwards:
            _refuse_prior(forward)
        self.space = _union([forward.space for forward in forwards])
        self.ndim = self.space.size
        slices, entries = self.space.slices(), np.arange(self.ndim)
        self._entries = [np.concatenate([entries[slices[v.name]] for v in forward.space.variables]) for forward in forwards]
        predicting = [forward for forward in forwards if isinstance(forward, Simulates)]
        if len(predicting) == len(forwards):
            self.observed = np.concatenate([forward.observed for forward in predicting])
            self.sigma = np.concatenate([forward.sigma for forward in predicting])
            self.simulate = self._simulate

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d): sums over the forwards."""
        value, gradient = np.zeros(len(models)), np.zeros(models.shape)
        for forward, entries in zip(self.parts, self._entries, strict=True):
            # Not models[:, entries], which native code would find in another order of memory.
            part_value, part_gradient = self._call(forward, models.take(entries, axis=1))
            value += part_value
            gradient[:, entries] += part_gradient
        return value, gradient

    def check_prior(self, lower: Floats, upper: Floats) -> None:
        """Raise `ConfigError` for bounds (d,) that allow models which one of the forwards cannot use."""
        for forward, entries in zip(self.parts, self._entries, strict=True):
            if isinstance(forward, ChecksPrior):
                forward.check_prior(lower[entries], upper[entries])

    def _simulate(self, models: Floats) -> Floats:
        parts = zip(self.parts, self._entries, strict=True)
        return np.concatenate([self._call(part.simulate, models.take(entries, axis=1)) for part, entries in parts], axis=1)


class FiniteDifferences(_Combined):
    """A code without a gradient, and the gradient by central differences: 2 d + 1 runs of the code for each particle.

    For d beyond some tens, or a code of more than a second, an adjoint or automatic differentiation pays soon.

    Parameters
    ----------
    code : object
        Object with a `space` and either ``log_likelihood(models (n, d)) -> (n,)``, see `vip.protocols.LikelihoodOnly`, or the
        attributes of `vip.protocols.Simulates`: data with independent Gaussian errors then give the likelihood.
    step : float or (d,) float
        Step in the model's units. Central differences are best near the cube root of the code's relative precision, times the
        model's scale: 6e-6 in double, 5e-3 in single precision. The code must bear models this far beyond the prior's bounds.

    Raises
    ------
    ConfigError
        If the step is not positive or the code has neither.
    """

    def __init__(self, code: Any, step: float | Floats) -> None:
        super().__init__([code])
        self.space = code.space
        self.ndim = self.space.size
        if not np.all(np.asarray(step) > 0):
            raise ConfigError("step", step, "must be positive")
        self.step = np.broadcast_to(np.asarray(step, dtype=np.float64), self.ndim)
        self.gradient_runs = 2 * self.ndim + 1
        if isinstance(code, Simulates):
            self.observed, self.sigma, self.simulate = code.observed, code.sigma, self._simulate
        elif not isinstance(code, LikelihoodOnly):
            raise ConfigError("code", type(code).__name__, "needs log_likelihood, or simulate with observed and sigma")

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d)."""
        value, gradient = np.zeros(len(models)), np.zeros(models.shape)
        steps = np.diag(self.step)
        for i, model in enumerate(models):
            shifted = np.concatenate([model[None], model + steps, model - steps])
            try:
                values = self._log_likelihood(shifted)
            except ForwardError as error:
                raise ForwardError({i: next(iter(error.reasons.values()))}) from error
            value[i], plus, minus = values[0], values[1 : self.ndim + 1], values[self.ndim + 1 :]
            # Of the distance that remains once the step is rounded.
            gradient[i] = (plus - minus) / np.diag(shifted[1 : self.ndim + 1] - shifted[self.ndim + 1 :])
        return value, gradient

    def _log_likelihood(self, models: Floats) -> Floats:
        code = self.parts[0]
        if isinstance(code, LikelihoodOnly):
            return np.asarray(self._call(code.log_likelihood, models))
        residual = (self._simulate(models) - code.observed) / code.sigma
        return np.asarray(-0.5 * (residual**2).sum(axis=1))

    def _simulate(self, models: Floats) -> Floats:
        return np.asarray(self._call(self.parts[0].simulate, models))


class Elementwise(NamedTuple):
    """A function of each entry, and its derivative: arrays of any shape to arrays of this shape."""

    value: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]


IDENTITY = Elementwise(np.positive, np.ones_like)
EXPONENTIAL = Elementwise(np.exp, np.exp)
"""Function for variables that must be positive: the parameters are their logarithms."""


@dataclass(frozen=True)
class Map:
    """A variable of a forward as a function of parameters: ``function(matrix @ parameters)``.

    Parameters
    ----------
    variable : Variable
        The parameters, for which there is then a prior.
    matrix : (m, k) dense or sparse, optional
        Matrix from k parameters to the m entries of the forward's variable, such as `interpolation`; the identity by default.
    function : Elementwise
        Function of ``matrix @ parameters``.
    """

    variable: Variable
    matrix: Any = None
    function: Elementwise = IDENTITY


class Reparameterised(_Combined):
    """A forward with other parameters: fewer than the nodes of its grid, or on another scale.

    Parameters
    ----------
    forward : Forward
    maps : mapping of str to Map
        Maps by the name of the forward's variable; variables that are not named stay as they are.

    Raises
    ------
    ConfigError
        If a variable is unknown, a matrix does not fit, or the forward includes the prior, which is that of its own parameters.
    """

    def __init__(self, forward: Forward, maps: Mapping[str, Map]) -> None:
        super().__init__([forward])
        _refuse_prior(forward)
        names = [variable.name for variable in forward.space.variables]
        for name in maps:
            if name not in names:
                raise ConfigError("maps", name, f"no such variable; this forward has {', '.join(names)}")
        used = [maps.get(variable.name, Map(variable)) for variable in forward.space.variables]
        self.space = ModelSpace(tuple(map_.variable for map_ in used))
        self.ndim = self.space.size
        matrices = [_matrix(map_, variable) for map_, variable in zip(used, forward.space.variables, strict=True)]
        self._matrix = sp.csr_array(sp.block_diag(matrices))
        self._transpose = sp.csr_array(self._matrix.T)
        slices = forward.space.slices()
        self._functions = [(slices[name], map_.function) for name, map_ in maps.items()]
        if isinstance(forward, Simulates):
            self.observed, self.sigma, self.simulate = forward.observed, forward.sigma, self._simulate

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d), by the chain rule."""
        linear = _times(self._matrix, models)
        value, by_forward = self._call(self.parts[0], self._apply(linear))
        gradient = np.array(by_forward)
        for entries, function in self._functions:
            gradient[:, entries] *= function.slope(linear[:, entries])
        return value, _times(self._transpose, gradient)

    def to_forward(self, models: Floats) -> Floats:
        """Models (n, D) of the forward, in its own variables, of models (n, d): for figures."""
        return self._apply(_times(self._matrix, models))

    def _apply(self, linear: Floats) -> Floats:
        fine = linear.copy()
        for entries, function in self._functions:
            fine[:, entries] = function.value(linear[:, entries])
        return fine

    def _simulate(self, models: Floats) -> Floats:
        return np.asarray(self._call(self.parts[0].simulate, self.to_forward(models)))


def interpolation(knots: Floats, nodes: Floats, degree: int = 1) -> Floats:
    """The matrix (m, k) that takes values at k knots to m nodes by a spline: of degree 1 between straight lines, 3 smooth.

    For a map of rows and columns, ``np.kron(interpolation(y...), interpolation(x...))``.

    Raises
    ------
    ConfigError
        If a node lies outside the knots, or there are too few of these.

    Examples
    --------
    >>> interpolation(np.array([0.0, 2.0]), np.array([0.5, 2.0]))
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    """
    if nodes.min() < knots[0] or nodes.max() > knots[-1]:
        outside = f"{nodes.min():g} to {nodes.max():g}"
        raise ConfigError(
            "nodes", outside, f"lie outside the knots, {knots[0]:g} to {knots[-1]:g}; a spline must not extrapolate"
        )
    if len(knots) <= degree:
        raise ConfigError("knots", len(knots), f"a spline of degree {degree} needs at least {degree + 1}")
    matrix: Floats = make_interp_spline(knots, np.eye(len(knots)), degree)(nodes)
    return matrix


def _times(matrix: Any, models: Floats) -> Floats:
    """``matrix @ model`` of each model: one by one, so that none depends on the others by the rounding of a sum."""
    return np.array([matrix @ model for model in models]).reshape(len(models), matrix.shape[0])


def _matrix(map_: Map, variable: Variable) -> Any:
    """The matrix of a map to a variable, sparse."""
    matrix = sp.eye_array(map_.variable.size) if map_.matrix is None else sp.csr_array(map_.matrix)
    expected = (variable.size, map_.variable.size)
    if matrix.shape != expected:
        remedy = f"expected {expected}: from {map_.variable.name} to {variable.name}"
        raise ConfigError("maps", f"the matrix has shape {matrix.shape}", remedy)
    return matrix


def _union(spaces: Sequence[ModelSpace]) -> ModelSpace:
    """The variables of all spaces, in the order in which they come first."""
    found: dict[str, Variable] = {}
    for variable in (variable for space in spaces for variable in space.variables):
        other = found.setdefault(variable.name, variable)
        same = (other.units, other.dims, other.shape) == (variable.units, variable.dims, variable.shape)
        if not same or any(not np.array_equal(other.coords[dim], variable.coords[dim]) for dim in variable.dims):
            kinds = " and ".join(
                f"{each.units!r} over {dict(zip(each.dims, each.shape, strict=True))}" for each in (other, variable)
            )
            raise ConfigError(
                variable.name, kinds, "forwards must agree on units and coordinates of a variable that they share"
            )
    return ModelSpace(tuple(found.values()))


def _refuse_prior(forward: Forward) -> None:
    if isinstance(forward, IncludesPrior) and forward.includes_prior:
        raise ConfigError(
            "includes_prior", type(forward).__name__, "only a log-likelihood can be combined: leave its prior out"
        )
