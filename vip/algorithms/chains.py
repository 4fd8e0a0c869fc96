"""Base of all chains: warm-up, a proposal, and whether it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.algorithms.burn_in import BurnIn, BurnInState, Ensemble, evaluated
from vip.algorithms.resampling import take_places
from vip.algorithms.step_sizes import StepSize, StepState
from vip.protocols import Floats, Info, LogDensity


class ChainsState(NamedTuple):
    """State of chains: particles with their densities, burn-in and step size."""

    ensemble: Ensemble
    burn_in: BurnInState
    step: StepState

    @property
    def particles(self) -> Floats:
        """Particles (n, d)."""
        return self.ensemble.particles


class Proposal(NamedTuple):
    """Particles that chains may go to, and a function for the log-ratios of these steps, see `vip.algorithms.step_sizes`.

    There is one log-ratio for each particle (n,), or one (1,) for all together.
    """

    end: Ensemble
    log_ratios: Callable[[], Floats]


class Chains:
    """Base of chains that learn one metric and one step size together during burn-in.

    Parameters
    ----------
    n_particles : int
    step_size : StepSize
        Step size in the coordinates of the metric.
    burn_in : BurnIn
    project : callable
        Applied to the particles after every step: hard bounds. Only for chains that are not adjusted.
    """

    is_chain = True
    rejects = True

    def __init__(
        self,
        n_particles: int,
        step_size: StepSize,
        burn_in: BurnIn,
        project: Callable[[Floats], Floats] = lambda theta: theta,
    ) -> None:
        self.n_particles = self.n_evaluated = n_particles
        self.step_size, self.burn_in, self.project = step_size, burn_in, project

    def init(self, theta0: Floats) -> ChainsState:
        """First state from particles (n_particles, d)."""
        return ChainsState(Ensemble.unknown(theta0), self.burn_in.init(theta0), self.step_size.init())

    def step(self, state: ChainsState, log_density: LogDensity, rng: np.random.Generator) -> tuple[ChainsState, Info]:
        """Propose a step for each chain and accept or reject it; in the warm-up, step by eq. 17 of Zhang & Curtis (2024)."""
        before = self.burn_in.ensemble(state.burn_in, state.ensemble, log_density)
        state = state._replace(ensemble=before)
        more: dict[str, float] = {}
        if self.burn_in.is_warming(state.burn_in):
            burn_in, particles = self.burn_in.warmed(state.burn_in, before, rng)
            found = self._evaluated(particles, log_density, self.burn_in.warm_up_size)
            moved = state._replace(ensemble=found, burn_in=burn_in)
        else:
            moved, found, more = self._chain_step(state, log_density, rng)
        moved = moved._replace(burn_in=moved.burn_in._replace(iteration=state.burn_in.iteration + 1))
        change = np.sqrt(np.mean((moved.particles - before.particles) ** 2))
        return moved, Info(found.mean_value, float(change), more)

    def _chain_step(
        self, state: ChainsState, log_density: LogDensity, rng: np.random.Generator
    ) -> tuple[ChainsState, Ensemble, dict[str, float]]:
        """The state after a step, the particles that were proposed, and the numbers that the step reports."""
        before, step = state.ensemble, state.step
        adapting = self.burn_in.is_adapting(state.burn_in)
        burn_in = self._adapted(state.burn_in, before)
        size = self.step_size.size(step, burn_in.iteration, adapting)
        after, log_ratios = self._proposed(before, burn_in, size, log_density, rng)
        learning = adapting and self.step_size.learns
        if not (self.rejects or learning):
            return ChainsState(after, burn_in, step), after, {"step_size": size}
        log_ratio = log_ratios()
        if learning:
            step = self.step_size.update(step, log_ratio, before.particles.size // len(log_ratio))
        kept = _where(np.log(rng.random(len(log_ratio))) < log_ratio, after, before) if self.rejects else after
        acceptance = float(np.exp(np.minimum(log_ratio, 0)).mean())
        return ChainsState(kept, burn_in, step), after, {"step_size": size, "acceptance": acceptance}

    def resample(self, state: ChainsState, failed: Sequence[int], rng: np.random.Generator) -> ChainsState:
        """The state with each failed particle moved near another one, whose density it takes until it is evaluated."""
        particles, origin = take_places(state.particles, failed, rng)
        return state._replace(ensemble=state.ensemble.at(self.project(particles), origin))

    def draw(self, state: ChainsState, n: int, rng: np.random.Generator) -> Floats:
        """The particles, which are n_particles samples, whatever n."""
        return state.particles

    def _adapted(self, burn_in: BurnInState, ensemble: Ensemble) -> BurnInState:
        """Burn-in after it has learnt from the particles."""
        return self.burn_in.adapted(burn_in, ensemble)

    def _proposed(
        self, start: Ensemble, burn_in: BurnInState, size: float, log_density: LogDensity, rng: np.random.Generator
    ) -> Proposal:
        """A step of this size from the particles `start`."""
        raise NotImplementedError

    def _evaluated(self, particles: Floats, log_density: LogDensity, size: float) -> Ensemble:
        return evaluated(self.project(particles), log_density, size)


def _where(accepted: NDArray[np.bool_], new: Ensemble, old: Ensemble) -> Ensemble:
    """The new particles where they are accepted, the old ones elsewhere."""
    return Ensemble(
        np.where(accepted[:, None], new.particles, old.particles),
        np.where(accepted, new.value, old.value),
        np.where(accepted[:, None], new.gradient, old.gradient),
        old.noise,
    )
