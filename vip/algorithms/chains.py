"""What chains that do not interact have in common: warm-up, a proposal, and whether it is accepted."""

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
    """Particles with their densities, burn-in and step size."""

    ensemble: Ensemble
    burn_in: BurnInState
    step: StepState

    @property
    def particles(self) -> Floats:
        """(n, d)."""
        return self.ensemble.particles


class Chains:
    """Base: independent chains that learn one metric and one step size together during burn-in.

    Parameters
    ----------
    n_particles : int
    step_size : StepSize
        In the coordinates of the metric.
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
        """A proposal for each chain, accepted or rejected; eq. 17 of Zhang & Curtis (2024) during the warm-up."""
        before = self.burn_in.ensemble(state.burn_in, state.ensemble, log_density)
        burn_in, step = state.burn_in, state.step
        more: dict[str, float] = {}
        if self.burn_in.is_warming(burn_in):
            burn_in, particles = self.burn_in.warmed(burn_in, before, rng)
            after = told = self._evaluated(particles, log_density, self.burn_in.warm_up_size)
        else:
            adapting = self.burn_in.is_adapting(burn_in)
            burn_in = self.burn_in.adapted(burn_in, before)
            size = self.step_size.size(step, burn_in.iteration, adapting)
            told, log_ratio = self._proposed(before, burn_in, size, log_density, rng)
            after = _where(np.log(rng.random(len(log_ratio))) < log_ratio, told, before) if self.rejects else told
            step = self.step_size.update(step, log_ratio, before.particles.shape[1]) if adapting else step
            more = {"step_size": size, "acceptance": float(np.exp(np.minimum(log_ratio, 0)).mean())}
        change = np.sqrt(np.mean((after.particles - before.particles) ** 2))
        moved = ChainsState(after, burn_in._replace(iteration=burn_in.iteration + 1), step)
        return moved, Info(told.mean_value, float(change), more)

    def resample(self, state: ChainsState, failed: Sequence[int], rng: np.random.Generator) -> ChainsState:
        """The state with the failed particles near others, whose densities they take until they are evaluated."""
        particles, origin = take_places(state.particles, failed, rng)
        return state._replace(ensemble=state.ensemble.at(self.project(particles), origin))

    def draw(self, state: ChainsState, n: int, rng: np.random.Generator) -> Floats:
        """The particles, which are n_particles samples, whatever n."""
        return state.particles

    def _proposed(
        self, start: Ensemble, burn_in: BurnInState, size: float, log_density: LogDensity, rng: np.random.Generator
    ) -> tuple[Ensemble, Floats]:
        """New particles and their log-ratios (n,), see `vip.algorithms.step_sizes`."""
        raise NotImplementedError

    def _evaluated(self, particles: Floats, log_density: LogDensity, size: float) -> Ensemble:
        return evaluated(self.project(particles), log_density, size)


def _where(accepted: NDArray[np.bool_], new: Ensemble, old: Ensemble) -> Ensemble:
    """The new particles where they are accepted."""
    return Ensemble(
        np.where(accepted[:, None], new.particles, old.particles),
        np.where(accepted, new.value, old.value),
        np.where(accepted[:, None], new.gradient, old.gradient),
        old.noise,
    )
