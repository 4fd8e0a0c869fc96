"""Hamiltonian Monte Carlo (Duane et al. 1987; Neal 2011) with many chains, dual averaging and a metric that all of them learn.

All chains take the same number of leapfrog steps, drawn anew each time so that no period of the dynamics is met, and are
evaluated together: an iteration calls the log-density once for each leapfrog step.
"""

from __future__ import annotations

import numpy as np

from vip.algorithms.burn_in import BurnIn, BurnInState, Ensemble
from vip.algorithms.chains import Chains, Proposal
from vip.algorithms.step_sizes import StepSize
from vip.protocols import LogDensity

FAR = 1e50
"""A trajectory that comes so far from zero, or is not finite, has diverged: it is given up and its particle stays."""


class HMC(Chains):
    """Hamiltonian Monte Carlo: each chain follows the dynamics of a particle in the potential -log p.

    Parameters
    ----------
    n_particles : int
    step_size : StepSize
        Step size of the leapfrog.
    burn_in : BurnIn
    leapfrog_steps : int
        Largest number of steps of a trajectory; the number is drawn uniformly, from one on.
    """

    def __init__(self, n_particles: int, step_size: StepSize, burn_in: BurnIn, leapfrog_steps: int) -> None:
        super().__init__(n_particles, step_size, burn_in)
        self.leapfrog_steps = leapfrog_steps
        self.n_evaluated = n_particles * (leapfrog_steps + 1) // 2

    def _proposed(
        self, start: Ensemble, burn_in: BurnInState, size: float, log_density: LogDensity, rng: np.random.Generator
    ) -> Proposal:
        """The place that the leapfrog reaches from random momenta (Neal 2011, eqs. 2.28-2.30)."""
        momentum = rng.standard_normal(start.particles.shape)
        kinetic = 0.5 * (momentum**2).sum(axis=1)
        y, at, lost = burn_in.metric.whiten(start.particles), start, np.zeros(len(start.value), dtype=bool)
        momentum = momentum + 0.5 * size * burn_in.metric.pull(at.gradient)
        steps = int(rng.integers(1, self.leapfrog_steps + 1))
        for step in range(steps):
            y = y + size * momentum
            theta = burn_in.metric.unwhiten(y)
            lost |= (np.abs(theta) > FAR).any(axis=1) | ~np.isfinite(theta).all(axis=1)
            at = self._evaluated(np.where(lost[:, None], start.particles, theta), log_density, size)
            lost |= ~np.isfinite(at.gradient).all(axis=1)
            momentum = momentum + (0.5 if step == steps - 1 else 1) * size * burn_in.metric.pull(at.gradient)
            y[lost], momentum[lost] = 0.0, 0.0
        at = at._replace(value=np.where(lost, -np.inf, at.value))
        return Proposal(at, lambda: at.gained(start) - 0.5 * (momentum**2).sum(axis=1) + kinetic)
