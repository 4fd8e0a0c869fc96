"""Stein variational gradient descent (Liu & Wang 2016), eqs. 13-17 of Zhang & Curtis (2024)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vip.algorithms.optimizers import Optimizer, OptimizerState
from vip.algorithms.resampling import take_places
from vip.algorithms.stein_kernels import RBF, Metric, drift
from vip.protocols import Floats, Info, LogDensity


class SVGDState(NamedTuple):
    """Particles (n, d) and the optimizer's moments."""

    particles: Floats
    optimizer: OptimizerState


class SVGD:
    """Particles move together up the log-density and apart from each other until they represent the posterior.

    Parameters
    ----------
    n_particles : int
    optimizer : Optimizer
    kernel : RBF
    metric : callable, optional
        Diagonal metric of a matrix-valued kernel from particles and gradients: `inverse_variance` or
        `mean_square_gradient`.
    project : callable
        Applied to the particles after every step: hard bounds.
    """

    is_chain = False

    def __init__(
        self,
        n_particles: int,
        optimizer: Optimizer,
        kernel: RBF,
        metric: Metric | None = None,
        project: Callable[[Floats], Floats] = lambda theta: theta,
    ) -> None:
        self.n_particles = self.n_evaluated = n_particles
        self.optimizer, self.kernel, self.metric, self.project = optimizer, kernel, metric, project

    def init(self, theta0: Floats) -> SVGDState:
        """First state from particles (n_particles, d)."""
        return SVGDState(theta0, self.optimizer.init(theta0))

    def step(self, state: SVGDState, log_density: LogDensity, rng: np.random.Generator) -> tuple[SVGDState, Info]:
        """Eq. 17, its direction handed to the optimizer."""
        x = state.particles
        value, gradient = log_density(x)
        kernel = RBF(self.kernel.bandwidth, self.metric(x, gradient)) if self.metric else self.kernel
        K, bandwidth = kernel(x)
        direction = drift(x, gradient, K, bandwidth, kernel.metric)
        optimizer, increment = self.optimizer.step(state.optimizer, direction)
        moved = self.project(x + increment)
        return SVGDState(moved, optimizer), Info(float(value.mean()), float(np.sqrt(np.mean((moved - x) ** 2))))

    def resample(self, state: SVGDState, failed: Sequence[int], rng: np.random.Generator) -> SVGDState:
        """The state with the failed particles near others."""
        return state._replace(particles=self.project(take_places(state.particles, failed, rng)))

    def draw(self, state: SVGDState, n: int, rng: np.random.Generator) -> Floats:
        """The particles, which are all there is, whatever n."""
        return state.particles
