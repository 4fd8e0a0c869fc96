"""Stochastic SVGD (Gallego & Insua 2018): interacting Langevin chains, eqs. 18-25 of Zhang & Curtis (2024).

The stacked particles z follow ``dz = [D grad log p + div D] dt + sqrt(2 D) dW`` with ``D = K/n``, K the kernel matrix between
particles, in the coordinates of a metric. Ordered coordinate by coordinate (the permutation P of eq. 24) D is block-diagonal
with d blocks K/n, so that one Cholesky factor of K makes the noise of all coordinates. In the coordinates of the model this
is the matrix-valued kernel ``Q^-1 k`` with the noise that belongs to it, ``K/n (x) Q^-1``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg

from vip.algorithms.burn_in import BurnIn, BurnInState, Ensemble, evaluated
from vip.algorithms.resampling import take_places
from vip.algorithms.stein_kernels import RBF, drift
from vip.algorithms.step_sizes import StepSize, StepState
from vip.errors import AlgorithmError
from vip.protocols import Floats, Info, LogDensity

JITTER = 1e-8
"""Added to the unit diagonal of K before its Cholesky factor: particles that nearly coincide make it singular to rounding."""


class SSVGDState(NamedTuple):
    """Particles with their densities, burn-in, step size, and the kernel's bandwidth."""

    ensemble: Ensemble
    burn_in: BurnInState
    step: StepState
    bandwidth: float

    @property
    def particles(self) -> Floats:
        """(n, d)."""
        return self.ensemble.particles


class Proposal(NamedTuple):
    """A Gaussian step from given particles: mean (n, d) and the factor (n, n) of its covariance between particles."""

    mean: Floats
    factor: Floats

    def noise(self, variance: Floats, rng: np.random.Generator) -> Floats:
        """Noise (n, d) of eq. 25, or less of it where the gradients have a variance (d,) of their own.

        A gradient's noise of variance v moves the particles by ``epsilon/n K`` times it: of the covariance ``2 epsilon/n K``
        that a step must have, ``v (epsilon/n K)^2`` is there already. Both have the eigenvectors of K.
        """
        standard = rng.standard_normal(self.mean.shape)
        if not variance.any():
            return self.factor @ standard
        values, vectors = scipy.linalg.eigh(self.factor @ self.factor.T)
        missing = values[:, None] - variance * (values[:, None] / 2) ** 2
        noise: Floats = vectors @ (np.sqrt(np.maximum(missing, 0)) * standard)
        return noise

    def log_density(self, y: Floats) -> float:
        """Of new particles (n, d): eq. 25's covariance is the same for each of the d coordinates."""
        standard = scipy.linalg.solve_triangular(self.factor, y - self.mean, lower=True)
        return float(-0.5 * np.sum(standard**2) - y.shape[1] * np.log(np.diag(self.factor)).sum())


class SSVGD:
    """Chains that repel each other; after burn-in every state of every particle is a sample.

    Parameters
    ----------
    n_particles : int
    step_size : StepSize
        Of epsilon in eq. 22. A particle far from all others moves by ``epsilon / n`` times its gradient.
    kernel : RBF
        Without a bandwidth of its own, the median heuristic during burn-in. Afterwards it stays, since the divergence term of
        eq. 22 is that of a kernel with constant parameters.
    burn_in : BurnIn
    adjusted : bool
        Whether the step of all particles together is accepted or rejected (Metropolis-Hastings), which removes the error of
        a finite step.
    project : callable
        Applied to the particles after every step: hard bounds.
    """

    is_chain = True

    def __init__(
        self,
        n_particles: int,
        step_size: StepSize,
        kernel: RBF,
        burn_in: BurnIn,
        adjusted: bool = False,
        project: Callable[[Floats], Floats] = lambda theta: theta,
    ) -> None:
        self.n_particles = self.n_evaluated = n_particles
        self.step_size, self.kernel, self.burn_in = step_size, kernel, burn_in
        self.rejects, self.project = adjusted, project

    def init(self, theta0: Floats) -> SSVGDState:
        """First state from particles (n_particles, d)."""
        return SSVGDState(Ensemble.unknown(theta0), self.burn_in.init(theta0), self.step_size.init(), 0.0)

    def step(self, state: SSVGDState, log_density: LogDensity, rng: np.random.Generator) -> tuple[SSVGDState, Info]:
        """Eq. 22 with the noise of eq. 25; eq. 17 during the warm-up."""
        before = self.burn_in.ensemble(state.burn_in, state.ensemble, log_density)
        state = state._replace(ensemble=before)
        more: dict[str, float] = {}
        if self.burn_in.is_warming(state.burn_in):
            burn_in, particles = self.burn_in.warmed(state.burn_in, before, rng)
            told = evaluated(self.project(particles), log_density, self.burn_in.warm_up_size)
            moved = state._replace(ensemble=told, burn_in=burn_in)
        else:
            moved, told, more = self._langevin_step(state, log_density, rng)
        moved = moved._replace(burn_in=moved.burn_in._replace(iteration=state.burn_in.iteration + 1))
        change = np.sqrt(np.mean((moved.particles - before.particles) ** 2))
        return moved, Info(told.mean_value, float(change), more)

    def _langevin_step(
        self, state: SSVGDState, log_density: LogDensity, rng: np.random.Generator
    ) -> tuple[SSVGDState, Ensemble, dict[str, float]]:
        """The state after a step, what was evaluated for it, and what the step tells."""
        adapting = self.burn_in.is_adapting(state.burn_in)
        burn_in = self.burn_in.adapted(state.burn_in, state.ensemble)
        metric, before = burn_in.metric, state.ensemble
        epsilon = self.step_size.size(state.step, burn_in.iteration, adapting)
        y, pulled = metric.whiten(before.particles), metric.pull(before.gradient)
        kernel = self.kernel if adapting else RBF(state.bandwidth)
        forth, bandwidth = self._proposal(y, pulled, kernel, epsilon)
        new_y = forth.mean + forth.noise(burn_in.variance, rng)
        after = evaluated(self.project(metric.unwhiten(new_y)), log_density, epsilon)
        learning = adapting and self.step_size.learns
        if not (self.rejects or learning):
            return SSVGDState(after, burn_in, state.step, bandwidth), after, {"step_size": epsilon}
        back, _ = self._proposal(new_y, metric.pull(after.gradient), RBF(bandwidth), epsilon)
        log_ratio = float(after.gained(before).sum()) + back.log_density(y) - forth.log_density(new_y)
        log_ratio = -np.inf if np.isnan(log_ratio) else log_ratio  # of particles that could not be evaluated before and after
        accepted = not self.rejects or np.log(rng.random()) < log_ratio
        step = self.step_size.update(state.step, np.array([log_ratio]), y.size) if learning else state.step
        told = {"step_size": epsilon, "acceptance": float(np.exp(min(log_ratio, 0.0)))}
        return SSVGDState(after if accepted else before, burn_in, step, bandwidth), after, told

    def _proposal(self, y: Floats, gradient: Floats, kernel: RBF, epsilon: float) -> tuple[Proposal, float]:
        n = len(y)
        K, bandwidth = kernel(y)
        mean = y + epsilon * drift(y, gradient, K, bandwidth)
        if not (np.isfinite(K).all() and np.isfinite(mean).all()):
            raise AlgorithmError(f"particles diverged: use a step_size below {epsilon:g}")
        try:
            factor = scipy.linalg.cholesky(K + JITTER * np.eye(n), lower=True)
        except np.linalg.LinAlgError as error:  # distances of particles far out are lost to rounding
            raise AlgorithmError(f"particles diverged: use a step_size below {epsilon:g}") from error
        return Proposal(mean, np.sqrt(2 * epsilon / n) * factor), bandwidth

    def resample(self, state: SSVGDState, failed: Sequence[int], rng: np.random.Generator) -> SSVGDState:
        """The state with the failed particles near others, whose densities they take until they are evaluated."""
        particles, origin = take_places(state.particles, failed, rng)
        return state._replace(ensemble=state.ensemble.at(self.project(particles), origin))

    def draw(self, state: SSVGDState, n: int, rng: np.random.Generator) -> Floats:
        """The particles, which are n_particles samples, whatever n."""
        return state.particles
