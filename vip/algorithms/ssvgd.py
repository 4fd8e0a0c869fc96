"""Stochastic SVGD (Gallego & Insua 2018): interacting Langevin chains, eqs. 18-25 of Zhang & Curtis (2024).

The stacked particles z follow ``dz = [D grad log p + div D] dt + sqrt(2 D) dW`` with ``D = K/n (x) Q^-1``, K the kernel matrix
between particles and Q the metric of a matrix-valued kernel. Ordered coordinate by coordinate (the permutation P of eq. 24) D
is block-diagonal with blocks ``K / (n Q_kk)``, so that one Cholesky factor of K makes the noise of all coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg

from vip.algorithms.optimizers import Adam, Optimizer, OptimizerState, Schedule
from vip.algorithms.resampling import take_places
from vip.algorithms.stein_kernels import RBF, Metric, drift, inverse_variance, stein_direction
from vip.errors import AlgorithmError
from vip.protocols import Floats, Info, LogDensity

JITTER = 1e-10
"""Added to the unit diagonal of K before its Cholesky factor: particles that nearly coincide make it singular to rounding."""

METRIC_MEMORY = 100
"""Iterations over which the metric of a matrix-valued kernel is averaged during burn-in."""


class SSVGDState(NamedTuple):
    """Particles (n, d), iterations so far, the kernel's bandwidth and metric (d,), what the metric starts from."""

    particles: Floats
    iteration: int
    bandwidth: float
    metric: Floats
    start_metric: Floats
    warm_up_optimizer: OptimizerState


class SSVGD:
    """Chains that repel each other; after burn-in every state of every particle is a sample.

    Parameters
    ----------
    n_particles : int
    schedule : Schedule
        Step size epsilon of eq. 22. A particle far from all others moves by ``epsilon / n`` times its gradient.
    kernel : RBF
        Without a bandwidth of its own, the median heuristic.
    burn_in : int
        Iterations in which the bandwidth and the metric follow the particles. Afterwards they stay, since the divergence
        term of eq. 22 is that of a kernel with constant parameters.
    metric : callable, optional
        Diagonal metric of a matrix-valued kernel from particles and gradients: `inverse_variance` or
        `mean_square_gradient`. Its mean over recent iterations is used, added to the inverse variance of the first
        particles: what nothing but the prior constrains keeps the prior's scale.
    warm_up : int
        First iterations, part of burn-in, in which particles move by SVGD with `optimizer` and without noise: from prior
        samples to where they fit the data. There gradients have the size that they have over the posterior.
    optimizer : Optimizer
        Of the warm-up.
    project : callable
        Applied to the particles after every step: hard bounds.
    """

    is_chain = True

    def __init__(
        self,
        n_particles: int,
        schedule: Schedule,
        kernel: RBF,
        burn_in: int,
        metric: Metric | None = None,
        warm_up: int = 0,
        optimizer: Optimizer | None = None,
        project: Callable[[Floats], Floats] = lambda theta: theta,
    ) -> None:
        self.n_particles = self.n_evaluated = n_particles
        self.schedule, self.kernel, self.burn_in = schedule, kernel, burn_in
        self.metric, self.project = metric, project
        self.warm_up, self.optimizer = warm_up, optimizer or Adam(Schedule(0.05))

    def init(self, theta0: Floats) -> SSVGDState:
        """First state from particles (n_particles, d)."""
        start = np.ones(theta0.shape[1]) if self.metric is None else inverse_variance(theta0, theta0)
        return SSVGDState(theta0, 0, 0.0, start, start, self.optimizer.init(theta0))

    def step(self, state: SSVGDState, log_density: LogDensity, rng: np.random.Generator) -> tuple[SSVGDState, Info]:
        """Eq. 22 with the noise of eq. 25; eq. 17 during the warm-up."""
        value, gradient = log_density(state.particles)
        if state.iteration < self.warm_up:
            moved = self._warm_up_step(state, gradient)
        else:
            moved = self._langevin_step(state, gradient, rng)
        if not np.isfinite(moved.particles).all():
            raise self._diverged(state)
        change = np.sqrt(np.mean((moved.particles - state.particles) ** 2))
        return moved, Info(float(value.mean()), float(change))

    def _warm_up_step(self, state: SSVGDState, gradient: Floats) -> SSVGDState:
        x = state.particles
        optimizer, increment = self.optimizer.step(state.warm_up_optimizer, stein_direction(x, gradient, self.kernel))
        return state._replace(particles=self.project(x + increment), iteration=state.iteration + 1, warm_up_optimizer=optimizer)

    def _langevin_step(self, state: SSVGDState, gradient: Floats, rng: np.random.Generator) -> SSVGDState:
        x, n = state.particles, len(state.particles)
        adapting = state.iteration < self.burn_in or state.bandwidth == 0
        metric = self._adapted_metric(state, gradient) if adapting else state.metric
        K, bandwidth = RBF(self.kernel.bandwidth if adapting else state.bandwidth, metric)(x)
        if not np.isfinite(K).all():
            raise self._diverged(state)
        epsilon = self.schedule(state.iteration)
        noise = np.sqrt(2 * epsilon / n) * correlated_noise(K, x.shape[1], rng) / np.sqrt(metric)
        moved = x + epsilon * drift(x, gradient, K, bandwidth, metric) + noise
        return state._replace(particles=self.project(moved), iteration=state.iteration + 1, bandwidth=bandwidth, metric=metric)

    def resample(self, state: SSVGDState, failed: Sequence[int], rng: np.random.Generator) -> SSVGDState:
        """The state with the failed particles near others."""
        return state._replace(particles=self.project(take_places(state.particles, failed, rng)))

    def draw(self, state: SSVGDState, n: int, rng: np.random.Generator) -> Floats:
        """The particles, which are n_particles samples, whatever n."""
        return state.particles

    def _diverged(self, state: SSVGDState) -> AlgorithmError:
        size = self.schedule(state.iteration)
        return AlgorithmError(f"ssvgd: iteration {state.iteration}: particles diverged; use a step_size below {size:g}")

    def _adapted_metric(self, state: SSVGDState, gradient: Floats) -> Floats:
        """Running mean of the metric over `METRIC_MEMORY` iterations."""
        if self.metric is None:
            return state.metric
        weight = max(1 / (state.iteration - self.warm_up + 1), 1 / METRIC_MEMORY)
        new = state.start_metric + self.metric(state.particles, gradient)
        mean: Floats = (1 - weight) * state.metric + weight * new
        return mean


def correlated_noise(K: Floats, d: int, rng: np.random.Generator) -> Floats:
    """Noise (n, d) with covariance K (n, n) between particles and none between coordinates, eq. 25 block by block."""
    n = len(K)
    factor = scipy.linalg.cholesky(K + JITTER * np.eye(n), lower=True)
    noise: Floats = factor @ rng.standard_normal((n, d))
    return noise
