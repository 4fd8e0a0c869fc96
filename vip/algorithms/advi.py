"""Automatic differentiation variational inference (Kucukelbir et al. 2017), eqs. 8-11 of Zhang & Curtis (2024).

A member of a family of distributions in unconstrained space is fitted by stochastic ascent of the ELBO. Its gradient leaves out
the term whose mean is zero ("sticking the landing", Roeder, Wu & Duvenaud 2017), so that its noise vanishes where the family
holds the posterior; samples come in pairs of opposite noise, which takes the odd part of the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.algorithms.families import Family
from vip.algorithms.optimizers import Optimizer, OptimizerState
from vip.algorithms.pathfinder import Pathfinder, PathfinderState
from vip.errors import AlgorithmError
from vip.protocols import Floats, Info, LogDensity

WINDOW = 100
"""Number of iterations whose mean ELBO is compared with that of as many before."""
RATIOS = 1000
"""Number of log-ratios of posterior and approximation that are kept for the diagnostics."""
N_START = 200
"""Number of particles that the first approximation is fitted to."""


class ADVIState(NamedTuple):
    """State of ADVI: parameters (p,) of the approximation, and how the ascent goes.

    `elbo` (2 windows,) and `log_ratios` are those of recent iterations, oldest first and nan where there are none yet; `since`
    counts iterations since the step size was last halved. `start` is the state of Pathfinder, empty without it.
    """

    iteration: int
    parameters: Floats
    optimizer: OptimizerState
    halvings: int
    since: int
    elbo: Floats
    log_ratios: Floats
    start: PathfinderState


class ADVI:
    """Variational inference with any family of distributions.

    Parameters
    ----------
    n_samples : int
        Number of Monte Carlo samples of the gradient at each step.
    optimizer : Optimizer
    family : Family
    halvings : int
        Number of times that the step size is halved, whenever the ELBO no longer rises, before the run ends; 0 for never.
    start : Pathfinder, optional
        Pathfinder that gives the first approximation; without it, the prior does.
    start_iterations : int
        Largest number of iterations of `start`.
    """

    is_chain = False
    rejects = False

    def __init__(
        self,
        n_samples: int,
        optimizer: Optimizer,
        family: Family,
        halvings: int = 0,
        start: Pathfinder | None = None,
        start_iterations: int = 0,
    ) -> None:
        self.n_evaluated, self.optimizer, self.family, self.halvings = n_samples, optimizer, family, halvings
        self.start, self.start_iterations = start, start_iterations
        self.n_particles = max(N_START, start.n_particles if start else 0)

    def init(self, theta0: Floats) -> ADVIState:
        """First state, whose approximation suits particles theta0 (n, d) drawn from the prior."""
        parameters = self.family.init(theta0)
        paths = Pathfinder(1) if self.start is None else self.start
        return ADVIState(
            0,
            parameters,
            self.optimizer.init(parameters),
            0,
            0,
            np.full(2 * WINDOW, np.nan),
            np.full(RATIOS, np.nan),
            paths.init(theta0[: paths.n_particles]),
        )

    def step(self, state: ADVIState, log_density: LogDensity, rng: np.random.Generator) -> tuple[ADVIState, Info]:
        """A step of the ascent by eqs. 10 and 11, or a step of Pathfinder before."""
        if self.start is not None and state.iteration < self.start_iterations and not self.start.has_converged(state.start):
            return self._start_step(self.start, state, log_density, rng)
        d = state.start.particles.shape[1]
        noise = paired_noise(self.n_evaluated, self.family.n_noise(d), rng)
        theta = self.family.sample(state.parameters, noise)
        found = log_density(theta)
        value, gradient = found.value, found.gradient
        known = np.isfinite(value)
        if not known.any():
            raise AlgorithmError("none of the samples could be evaluated: use a smaller step_size, or more samples_per_step")
        theta, noise, value, gradient = theta[known], noise[known], value[known], gradient[known]
        log_q, by_theta = self.family.density(state.parameters, theta, noise)
        direction = self.family.chain(state.parameters, gradient - by_theta, noise)
        optimizer, increment = self.optimizer.step(state.optimizer, direction)
        parameters = state.parameters + increment * self.family.pace(d) / 2**state.halvings
        moved = self._judged(state._replace(parameters=parameters, optimizer=optimizer), value - log_q)
        change = np.sqrt(np.mean((self.family.sample(parameters, noise) - theta) ** 2))
        return moved, Info(float(value.mean()), float(change), {"elbo": float(np.mean(value - log_q))})

    def draw(self, state: ADVIState, n: int, rng: np.random.Generator) -> Floats:
        """N draws (n, d) of the fitted distribution."""
        noise = rng.standard_normal((n, self.family.n_noise(state.start.particles.shape[1])))
        return self.family.sample(state.parameters, noise)

    def has_converged(self, state: ADVIState) -> bool:
        """Whether the step size was halved as often as it may be."""
        return 0 < self.halvings <= state.halvings

    def _start_step(
        self, start: Pathfinder, state: ADVIState, log_density: LogDensity, rng: np.random.Generator
    ) -> tuple[ADVIState, Info]:
        """A step of Pathfinder; its approximation so far is the one to start from."""
        paths, info = start.step(state.start, log_density, rng)
        parameters = self.family.init(start.draw(paths, self.n_particles, rng))
        return state._replace(iteration=state.iteration + 1, start=paths, parameters=parameters), info

    def _judged(self, state: ADVIState, log_ratio: Floats) -> ADVIState:
        """The state, with the step size halved if the ELBO of the last window is not above that of the one before."""
        elbo = np.append(state.elbo[1:], log_ratio.mean())
        log_ratios = np.append(state.log_ratios, log_ratio)[-RATIOS:]
        state = state._replace(iteration=state.iteration + 1, since=state.since + 1, elbo=elbo, log_ratios=log_ratios)
        if self.halvings == 0 or state.since < 2 * WINDOW:
            return state
        before, after = elbo[:WINDOW], elbo[WINDOW:]
        error = np.sqrt((before.var() + after.var()) / WINDOW)
        return state if after.mean() - before.mean() > error else state._replace(halvings=state.halvings + 1, since=0)


def paired_noise(n: int, size: int, rng: np.random.Generator) -> Floats:
    """White noise (n, size) in pairs of opposite sign; for an odd n, the last row has no partner.

    Examples
    --------
    >>> paired_noise(2, 3, np.random.default_rng(0)).sum(axis=0).tolist()
    [0.0, 0.0, 0.0]
    """
    half = rng.standard_normal(((n + 1) // 2, size))
    return np.concatenate([half, -half])[:n]
