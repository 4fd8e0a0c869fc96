"""Velocities that are not known, as a code: a few numbers, each standard normal before any pick is seen."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from vip.forward.earthquakes.velocity import Grid3D, Interpolation, Layered
from vip.protocols import Floats

CORRELATION = 10.0
"""Difference of depths, km, over which speeds lose a factor e of their correlation."""
KEPT = 0.95
"""Share of the variance of the logarithms of speeds that is kept."""
MOST_ROUNDS, SETTLED = 100, 1e-3
"""Rounds in which velocities beyond limits are filled in, and the relative change of the misfit that ends them."""


class Family(Protocol):
    """Velocity models by their code."""

    @property
    def size(self) -> int:
        """Number of entries of a code."""

    def model(self, code: Floats) -> Layered | Grid3D:
        """The model of a code (size,)."""


class Fixed(NamedTuple):
    """A model that is known: its code has no entries."""

    known: Layered | Grid3D

    @property
    def size(self) -> int:
        """Number of entries of a code."""
        return 0

    def model(self, code: Floats) -> Layered | Grid3D:
        """The model."""
        return self.known


class Layers(NamedTuple):
    """Layers with speeds that are log-normal about those of a model: first the speeds of P, then the ratios of P to S."""

    mean: Layered
    modes: Floats
    """Logarithms of factors (n_layers, n_modes) for a unit of each entry of a code."""
    between: Interpolation
    """Velocity between the depths of layers."""

    @property
    def size(self) -> int:
        """Number of entries of a code: that of the modes, for each phase."""
        return len(self.mean.phases) * int(self.modes.shape[1])

    def model(self, code: Floats) -> Layered:
        """The model of a code (size,)."""
        n = self.modes.shape[1]
        factors = {"P": np.exp(self.modes @ code[:n])}
        if "S" in self.mean.phases:
            factors["S"] = factors["P"] / np.exp(self.modes @ code[n:])
        velocity = {phase: self.mean.velocity[phase] * factor for phase, factor in factors.items()}
        return Layered(self.mean.tops, velocity, {phase: self._gradient(phase, factor) for phase, factor in factors.items()})

    def _gradient(self, phase: str, factor: Floats) -> Floats:
        """Gradients (n_layers,) that lead from each depth to the next, or else those of the mean times the factors."""
        if self.between == "linear":
            velocity = self.mean.velocity[phase] * factor
            return np.append(np.diff(velocity) / np.diff(self.mean.tops), 0.0)
        return self.mean.gradient[phase] * factor


def layers(mean: Layered, sigma: float, between: Interpolation = "constant") -> Layers:
    """Layers with speeds about those of a model.

    Parameters
    ----------
    mean : Layered
    sigma : float
        Standard deviation of the logarithm of each speed of P, and of each ratio of P to S.
    between : "constant" or "linear"
        Velocity between the depths of layers.
    """
    apart = np.abs(mean.tops[:, None] - mean.tops)
    variance, vectors = np.linalg.eigh(np.exp(-apart / CORRELATION))
    variance, vectors = variance[::-1], vectors[:, ::-1]
    kept = 1 + int(np.searchsorted(variance.cumsum(), KEPT * variance.sum()))
    return Layers(mean, sigma * vectors[:, :kept] * np.sqrt(variance[:kept]), between)


class Volumes(NamedTuple):
    """Velocities on nodes: the logarithm is a mean and a sum of principal components."""

    axes: tuple[Floats, Floats, Floats]
    """See `Grid3D`."""
    mean: dict[str, Floats]
    """Logarithms of velocities (ny, nx, nz) by phase."""
    modes: dict[str, Floats]
    """Principal components (n_modes, ny, nx, nz) by phase, for a unit of each entry of a code."""
    geographic: bool

    @property
    def size(self) -> int:
        """Number of entries of a code: that of the components."""
        return len(next(iter(self.modes.values())))

    def model(self, code: Floats) -> Grid3D:
        """The model of a code (size,)."""
        velocity = {phase: np.exp(self.mean[phase] + np.einsum("k,k...->...", code, self.modes[phase])) for phase in self.mean}
        return Grid3D(self.axes, velocity, self.geographic)


def principal(models: list[Grid3D], size: int) -> Volumes:
    """Velocities like those of an ensemble of models on the same nodes: the mean and the largest principal components.

    Parameters
    ----------
    models : list of Grid3D
        At least two.
    size : int
        Number of principal components.
    """
    first = models[0]
    phases = sorted(first.phases)
    logarithms = np.log([np.concatenate([model.velocity[phase].ravel() for phase in phases]) for model in models])
    mean = logarithms.mean(axis=0)
    _, singular, rows = np.linalg.svd(logarithms - mean, full_matrices=False)
    modes = rows[:size] * singular[:size, None] / np.sqrt(len(models) - 1)
    shape = first.velocity[phases[0]].shape
    parts = np.split(modes, len(phases), axis=1)
    return Volumes(
        first.axes,
        dict(zip(phases, (part.reshape(shape) for part in np.split(mean, len(phases))), strict=True)),
        dict(zip(phases, (part.reshape(-1, *shape) for part in parts), strict=True)),
        first.geographic,
    )


class Limited(NamedTuple):
    """Velocities on nodes: a mean and a sum of components, but none beyond two limits."""

    axes: tuple[Floats, Floats, Floats]
    """See `Grid3D`."""
    mean: dict[str, Floats]
    """Velocities (ny, nx, nz), km/s, by phase, before limits."""
    modes: dict[str, Floats]
    """Components (n_modes, ny, nx, nz), km/s, by phase, for a unit of each entry of a code."""
    limits: tuple[float, float]
    """Least and largest velocity, km/s."""
    geographic: bool

    @property
    def size(self) -> int:
        """Number of entries of a code: that of the components."""
        return len(next(iter(self.modes.values())))

    def model(self, code: Floats) -> Grid3D:
        """The model of a code (size,)."""
        added = {p: np.einsum("k,k...->...", code, modes) for p, modes in self.modes.items()}
        velocity = {p: np.clip(self.mean[p] + added[p], *self.limits) for p in self.mean}
        return Grid3D(self.axes, velocity, self.geographic)


def limited(models: list[Grid3D], size: int, limits: tuple[float, float]) -> Limited:
    """Velocities like those of an ensemble of models on the same nodes that are sums of few shapes, cut at limits.

    What is at a limit is only known to be there or beyond. It is filled in with what the components so far say, and the
    components are found again, in turn (iterative principal components, as with missing values). Plain principal
    components need many to describe the cuts.

    Parameters
    ----------
    models : list of Grid3D
        More than `size`.
    size : int
        Number of components.
    limits : (low, high)
        Velocities, km/s, at which the models were cut.
    """
    first, (low, high) = models[0], limits
    phases = sorted(first.phases)
    given = np.array([np.concatenate([model.velocity[phase].ravel() for phase in phases]) for model in models], np.float32)
    filled, misfit = given.copy(), np.inf
    for _ in range(MOST_ROUNDS):
        mean = filled.mean(axis=0)
        _, vectors = np.linalg.eigh((filled - mean) @ (filled - mean).T)
        modes = vectors[:, : -size - 1 : -1].T @ (filled - mean)
        found = mean + vectors[:, : -size - 1 : -1] @ modes
        before, misfit = misfit, float(np.mean((np.clip(found, low, high) - given) ** 2))
        if before - misfit < SETTLED * misfit:
            break
        filled = np.where(given <= low, np.minimum(found, low), np.where(given >= high, np.maximum(found, high), given))
    shape, scale = first.velocity[phases[0]].shape, np.sqrt(len(models) - 1)
    parts = zip(phases, np.split(mean, len(phases)), np.split(modes / scale, len(phases), axis=1), strict=True)
    means, components = {}, {}
    for phase, part, of_modes in parts:
        means[phase], components[phase] = part.reshape(shape).astype(float), of_modes.reshape(-1, *shape).astype(float)
    return Limited(first.axes, means, components, limits, first.geographic)
