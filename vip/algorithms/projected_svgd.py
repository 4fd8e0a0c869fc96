"""Projected SVGD (Chen & Ghattas 2020): particles move only where the data say more than the prior.

The likelihood-informed subspace is spanned by the leading eigenvectors of ``E[g g^T]``, g the gradient of the log-likelihood in
coordinates in which the prior has unit variances. Across it the posterior is the prior, and particles stay the prior samples
that they were; in it there are few coordinates, in which SVGD keeps its variance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vip.algorithms.metrics import MEMORY, REFRESH, SMALLEST
from vip.algorithms.optimizers import Optimizer, OptimizerState
from vip.algorithms.resampling import take_places
from vip.algorithms.stein_kernels import RBF
from vip.protocols import Floats, Info, LogDensity

INFORMED = 0.01
"""Least eigenvalue of a direction in which particles move: the data lower the prior's variance there by a hundredth."""


class ProjectedSVGDState(NamedTuple):
    """State of projected SVGD: particles (n, d), the prior's scales (d,), gradients (rows, d), basis (d, r) and optimizer.

    The gradients are recent ones, of which `filled` rows are known; the basis is that of the subspace.
    """

    particles: Floats
    scale: Floats
    gradients: Floats
    filled: int
    basis: Floats
    optimizer: OptimizerState


class ProjectedSVGD:
    """SVGD in the likelihood-informed subspace.

    Parameters
    ----------
    n_particles : int
    optimizer : Optimizer
    log_prior : callable
        Log-density (n,) of the prior and its gradients (n, d), in the particles' coordinates.
    rank : int
        Largest number of directions of the subspace.
    project : callable
        Applied to the particles after every step: hard bounds.
    """

    is_chain = False
    rejects = False

    def __init__(
        self,
        n_particles: int,
        optimizer: Optimizer,
        log_prior: Callable[[Floats], tuple[Floats, Floats]],
        rank: int,
        project: Callable[[Floats], Floats] = lambda theta: theta,
    ) -> None:
        self.n_particles = self.n_evaluated = n_particles
        self.optimizer, self.log_prior, self.rank, self.project = optimizer, log_prior, rank, project

    def init(self, theta0: Floats) -> ProjectedSVGDState:
        """First state from particles (n_particles, d) drawn from the prior."""
        n, d = theta0.shape
        scale = np.sqrt(np.maximum(theta0.var(axis=0), SMALLEST))
        rows = np.zeros((max(n, MEMORY, 2 * self.rank), d))
        return ProjectedSVGDState(theta0, scale, rows, 0, np.zeros((d, min(self.rank, d))), self.optimizer.init(theta0))

    def step(
        self, state: ProjectedSVGDState, log_density: LogDensity, rng: np.random.Generator
    ) -> tuple[ProjectedSVGDState, Info]:
        """Step of algorithm 1: eq. 17 for the coefficients in the subspace."""
        x = state.particles
        found = log_density(x)
        value, gradient = found.value, found.gradient
        informed = (gradient - self.log_prior(x)[1]) * state.scale
        state = self._with_subspace(state, informed)
        coefficients = (x / state.scale) @ state.basis
        direction = RBF().direction(coefficients, (gradient * state.scale) @ state.basis)
        # The optimizer's own scaling, entry by entry, would leave the subspace: what leaves it is taken out.
        optimizer, increment = self.optimizer.step(state.optimizer, direction @ state.basis.T)
        moved = self.project(x + ((increment @ state.basis) @ state.basis.T) * state.scale)
        change = float(np.sqrt(np.mean((moved - x) ** 2)))
        return state._replace(particles=moved, optimizer=optimizer), Info(float(value.mean()), change)

    def _with_subspace(self, state: ProjectedSVGDState, informed: Floats) -> ProjectedSVGDState:
        """The state with this iteration's gradients among the recent ones, and every few iterations a new basis."""
        rows = len(state.gradients)
        gradients = np.concatenate([informed, state.gradients])[:rows]
        filled = min(state.filled + len(informed), rows)
        if state.optimizer.iteration % REFRESH:
            return state._replace(gradients=gradients, filled=filled)
        _, singular, vectors = np.linalg.svd(gradients[:filled] / np.sqrt(filled), full_matrices=False)
        kept = min(int(np.sum(singular**2 > INFORMED)), state.basis.shape[1])
        basis = np.zeros_like(state.basis)
        basis[:, :kept] = vectors[:kept].T
        return state._replace(gradients=gradients, filled=filled, basis=basis)

    def resample(self, state: ProjectedSVGDState, failed: Sequence[int], rng: np.random.Generator) -> ProjectedSVGDState:
        """The state with each failed particle moved near another one."""
        return state._replace(particles=self.project(take_places(state.particles, failed, rng)[0]))

    def draw(self, state: ProjectedSVGDState, n: int, rng: np.random.Generator) -> Floats:
        """The particles, which are all there is, whatever n."""
        return state.particles
