"""Stein variational gradient descent (Liu & Wang 2016), eqs. 13-17 of Zhang & Curtis (2024), and its cures in high dimension.

Plain SVGD loses variance where there are more parameters than particles (Ba et al. 2022). A metric of curvature (Wang et al.
2019), local kernels and annealing (D'Angelo & Fortuin 2021) each restore some of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from vip.algorithms.metrics import Estimator, Unit
from vip.algorithms.optimizers import Optimizer, OptimizerState
from vip.algorithms.resampling import take_places
from vip.protocols import Floats, Info, LogDensity


class Kernel(Protocol):
    """A kernel, by which particles move each other."""

    def direction(self, particles: Floats, gradient: Floats) -> Floats:
        """The direction (n, d) of eq. 17 for particles and gradients (n, d)."""


class Annealing(NamedTuple):
    """Cycles in which the pull of the density grows from zero, so that particles first spread (eq. 8 of D'Angelo & Fortuin).

    Examples
    --------
    >>> Annealing(iterations=100, cycles=2)(25), Annealing(iterations=100, cycles=2)(100)
    (0.25, 1.0)
    """

    iterations: int = 0
    cycles: int = 1
    power: float = 2.0

    def __call__(self, iteration: int) -> float:
        """Factor of the gradient at an iteration."""
        if iteration >= self.iterations:
            return 1.0
        period = self.iterations / self.cycles
        return float((iteration % period / period) ** self.power)


class SVGDState(NamedTuple):
    """State of SVGD: particles (n, d), the optimizer's moments, and the estimate of the metric."""

    particles: Floats
    optimizer: OptimizerState
    estimate: Any


class SVGD:
    """SVGD: particles climb the log-density and repel each other until they represent the posterior.

    Parameters
    ----------
    n_particles : int
    optimizer : Optimizer
    kernel : Kernel
    estimator : Estimator
        Learns the metric of a matrix-valued kernel.
    annealing : Annealing
    project : callable
        Applied to the particles after every step: hard bounds.
    """

    is_chain = False
    rejects = False

    def __init__(
        self,
        n_particles: int,
        optimizer: Optimizer,
        kernel: Kernel,
        estimator: Estimator | None = None,
        annealing: Annealing | None = None,
        project: Callable[[Floats], Floats] = lambda theta: theta,
    ) -> None:
        self.n_particles = self.n_evaluated = n_particles
        self.optimizer, self.kernel, self.estimator = optimizer, kernel, estimator or Unit()
        self.annealing, self.project = annealing or Annealing(), project

    def init(self, theta0: Floats) -> SVGDState:
        """First state from particles (n_particles, d)."""
        return SVGDState(theta0, self.optimizer.init(theta0), self.estimator.init(theta0))

    def step(self, state: SVGDState, log_density: LogDensity, rng: np.random.Generator) -> tuple[SVGDState, Info]:
        """A step of the optimizer along the direction of eq. 17, in the coordinates of the metric."""
        x = state.particles
        found = log_density(x)
        value, gradient = found.value, found.gradient
        estimate = self.estimator.update(state.estimate, x, gradient)
        metric = self.estimator.metric(estimate)
        pull = self.annealing(state.optimizer.iteration) * metric.pull(gradient)
        optimizer, increment = self.optimizer.step(state.optimizer, self.kernel.direction(metric.whiten(x), pull))
        moved = self.project(x + metric.unwhiten(increment))
        change = float(np.sqrt(np.mean((moved - x) ** 2)))
        return SVGDState(moved, optimizer, estimate), Info(float(value.mean()), change)

    def resample(self, state: SVGDState, failed: Sequence[int], rng: np.random.Generator) -> SVGDState:
        """The state with the failed particles near others."""
        return state._replace(particles=self.project(take_places(state.particles, failed, rng)[0]))

    def draw(self, state: SVGDState, n: int, rng: np.random.Generator) -> Floats:
        """The particles, which are all there is, whatever n."""
        return state.particles
