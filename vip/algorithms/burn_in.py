"""Burn-in of chains, before their samples count: a warm-up to where the data are fitted, then learning a metric."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.algorithms.metrics import MEMORY, Estimator, Metric
from vip.algorithms.optimizers import Adam, Optimizer, OptimizerState, Schedule
from vip.algorithms.stein_kernels import RBF
from vip.errors import AlgorithmError
from vip.protocols import Floats, LogDensity


class Ensemble(NamedTuple):
    """Particles (n, d) with their log-densities (n,) and gradients (n, d).

    Where these were estimated from a few data blocks, the squares of `noise` (n, d) are on average the gradients' variances;
    else it is empty.
    """

    particles: Floats
    value: Floats
    gradient: Floats
    noise: Floats

    @classmethod
    def unknown(cls, particles: Floats) -> Ensemble:
        """Particles that have not been evaluated yet."""
        return cls(particles, np.zeros(len(particles)), np.zeros_like(particles), np.zeros((0, 0)))

    def at(self, particles: Floats, origin: NDArray[np.intp]) -> Ensemble:
        """Other particles with the densities of those from which they come (n,)."""
        noise = self.noise[origin] if self.noise.size else self.noise
        return Ensemble(particles, self.value[origin], self.gradient[origin], noise)

    def gained(self, before: Ensemble) -> Floats:
        """Gain (n,) in log-density over `before`: -inf for particles without one now, inf for those without one before."""
        gain, known = np.full(len(self.value), -np.inf), np.isfinite(self.value)
        gain[known] = self.value[known] - before.value[known]
        return gain

    @property
    def mean_value(self) -> float:
        """Mean log-density of the particles that could be evaluated."""
        known = self.value[np.isfinite(self.value)]
        return float(known.mean()) if len(known) else float("-inf")


def evaluated(particles: Floats, log_density: LogDensity, size: float = 0.0) -> Ensemble:
    """Particles with their log-densities and gradients, as the log-density gives them.

    Raises
    ------
    AlgorithmError
        If the particles are not finite; the step must then be shorter than `size`.
    """
    if not np.isfinite(particles).all():
        raise AlgorithmError(f"particles diverged: use a step_size or warm_up_step_size below {size:g}")
    found = log_density(particles)
    return Ensemble(particles, found.value, found.gradient, found.noise)


class BurnInState(NamedTuple):
    """State of burn-in: iterations so far, the metric and its estimate, the warm-up's optimizer, and a kernel's bandwidth.

    `variance` (d,) is that of gradients estimated from data blocks, in the coordinates of the metric, averaged over particles
    and recent iterations; zero for gradients from all data.
    """

    iteration: int
    metric: Metric
    estimate: Any
    optimizer: OptimizerState
    variance: Floats
    bandwidth: float


class BurnIn:
    """The first iterations of a chain.

    Parameters
    ----------
    length : int
        Number of iterations in which metric, bandwidth and step size follow the particles. Afterwards they stay, so that
        samples are those of a chain with constant parameters.
    estimator : Estimator
        Learns the metric.
    warm_up : int
        Number of first iterations, part of `length`, in which particles move by SVGD with `optimizer` and without noise, from
        prior samples to where they fit the data. There gradients have the size that they have over the posterior.
    optimizer : Optimizer
        Optimizer of the warm-up.
    """

    def __init__(self, length: int, estimator: Estimator, warm_up: int = 0, optimizer: Optimizer | None = None) -> None:
        self.length = max(length, warm_up + 1)  # what the prior alone says of the scales would be too little
        self.estimator, self.warm_up = estimator, warm_up
        self.optimizer = optimizer or Adam(Schedule(0.05))

    def init(self, theta0: Floats) -> BurnInState:
        """First state for particles (n, d) drawn from the prior."""
        estimate = self.estimator.init(theta0)
        nothing = np.zeros(theta0.shape[1])
        return BurnInState(0, self.estimator.metric(estimate), estimate, self.optimizer.init(theta0), nothing, 0.0)

    def is_warming(self, state: BurnInState) -> bool:
        """Whether this iteration is part of the warm-up."""
        return state.iteration < self.warm_up

    def is_adapting(self, state: BurnInState) -> bool:
        """Whether this iteration is part of burn-in."""
        return state.iteration < self.length

    @property
    def warm_up_size(self) -> float:
        """Step size of the warm-up."""
        return self.optimizer.schedule.size

    def ensemble(self, state: BurnInState, known: Ensemble, log_density: LogDensity) -> Ensemble:
        """The ensemble `known`, or at the first iteration the particles evaluated.

        Raises
        ------
        AlgorithmError
            If none of the particles can be evaluated.
        """
        if state.iteration:
            return known
        first = evaluated(known.particles, log_density)
        if not np.isfinite(first.value).any():
            raise AlgorithmError("no particle that the run starts from could be evaluated; run.log says why")
        return first

    def adapted(self, state: BurnInState, ensemble: Ensemble) -> BurnInState:
        """The state updated by the particles: the metric during burn-in, and the noise of their gradients always."""
        if self.is_adapting(state):
            estimate = self.estimator.update(state.estimate, ensemble.particles, ensemble.gradient)
            state = state._replace(estimate=estimate, metric=self.estimator.metric(estimate))
        if ensemble.noise.size:
            seen = (state.metric.pull(ensemble.noise) ** 2).mean(axis=0)
            weight = max(1 / (state.iteration - self.warm_up + 1), 1 / MEMORY)
            state = state._replace(variance=(1 - weight) * state.variance + weight * seen)
        return state

    def warmed(self, state: BurnInState, ensemble: Ensemble, rng: np.random.Generator) -> tuple[BurnInState, Floats]:
        """Particles after a step of the warm-up, eq. 17 of Zhang & Curtis (2024).

        In high dimension SVGD leaves particles far too close to each other. Where a curvature was learnt on the way, it gives a
        Gaussian from which they are drawn anew at the end.
        """
        if self.estimator.is_curvature:
            estimate = self.estimator.update(state.estimate, ensemble.particles, ensemble.gradient)
            state = state._replace(estimate=estimate, metric=self.estimator.metric(estimate))
            if state.iteration == self.warm_up - 1:
                noise = rng.standard_normal(ensemble.particles.shape)
                return state, ensemble.particles.mean(axis=0) + state.metric.unwhiten(noise)
        direction = RBF().direction(ensemble.particles, ensemble.gradient)
        optimizer, increment = self.optimizer.step(state.optimizer, direction)
        return state._replace(optimizer=optimizer), ensemble.particles + increment
