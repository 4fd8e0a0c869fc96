"""Stochastic SVGD (Gallego & Insua 2018): interacting Langevin chains, eqs. 18-25 of Zhang & Curtis (2024).

The stacked particles z follow ``dz = [D grad log p + div D] dt + sqrt(2 D) dW`` with ``D = K/n``, K the kernel matrix between
particles, in the coordinates of a metric. Ordered coordinate by coordinate (the permutation P of eq. 24) D is block-diagonal
with d blocks K/n, so that one Cholesky factor of K makes the noise of all coordinates. In the coordinates of the model this
is the matrix-valued kernel ``Q^-1 k`` with the noise that belongs to it, ``K/n (x) Q^-1``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg

from vip.algorithms.burn_in import BurnIn, BurnInState, Ensemble
from vip.algorithms.chains import Chains, Proposal
from vip.algorithms.stein_kernels import RBF, drift
from vip.algorithms.step_sizes import StepSize
from vip.errors import AlgorithmError
from vip.protocols import Floats, LogDensity

JITTER = 1e-8
"""Number added to the unit diagonal of K before its Cholesky factor: particles that nearly coincide would make K singular."""


class Step(NamedTuple):
    """A Gaussian step from given particles: its mean (n, d) and the factor (n, n) of its covariance between particles."""

    mean: Floats
    factor: Floats

    def noise(self, variance: Floats, rng: np.random.Generator) -> Floats:
        """Noise (n, d) of eq. 25, or less of it where the gradients have a variance (d,) of their own.

        Noise of variance v in the gradients moves the particles by ``epsilon/n K`` times that noise. So of the covariance
        ``2 epsilon/n K`` that a step must have, ``v (epsilon/n K)^2`` is there already. Both have the eigenvectors of K.
        """
        standard = rng.standard_normal(self.mean.shape)
        if not variance.any():
            return self.factor @ standard
        values, vectors = scipy.linalg.eigh(self.factor @ self.factor.T)
        missing = values[:, None] - variance * (values[:, None] / 2) ** 2
        noise: Floats = vectors @ (np.sqrt(np.maximum(missing, 0)) * standard)
        return noise

    def log_density(self, y: Floats) -> float:
        """Log-density of new particles (n, d), up to a constant; the covariance of eq. 25 is the same for all d coordinates."""
        standard = scipy.linalg.solve_triangular(self.factor, y - self.mean, lower=True)
        return float(-0.5 * np.sum(standard**2) - y.shape[1] * np.log(np.diag(self.factor)).sum())


class SSVGD(Chains):
    """Stochastic SVGD: chains that repel each other; after burn-in every state of every particle is a sample.

    Parameters
    ----------
    n_particles : int
    step_size : StepSize
        Step size epsilon of eq. 22. A particle far from all others moves by ``epsilon / n`` times its gradient.
    kernel : RBF
        Kernel. If it has no bandwidth, the median heuristic gives one during burn-in. Afterwards the bandwidth stays, since the
        divergence term of eq. 22 is that of a kernel with constant parameters.
    burn_in : BurnIn
    adjusted : bool
        Whether the step of all particles together is accepted or rejected (Metropolis-Hastings), which removes the error of
        a finite step.
    project : callable
        Applied to the particles after every step: hard bounds.
    """

    def __init__(
        self,
        n_particles: int,
        step_size: StepSize,
        kernel: RBF,
        burn_in: BurnIn,
        adjusted: bool = False,
        project: Callable[[Floats], Floats] = lambda theta: theta,
    ) -> None:
        super().__init__(n_particles, step_size, burn_in, project)
        self.kernel, self.rejects = kernel, adjusted

    def _adapted(self, burn_in: BurnInState, ensemble: Ensemble) -> BurnInState:
        adapted = super()._adapted(burn_in, ensemble)
        if not self.burn_in.is_adapting(burn_in):
            return adapted
        return adapted._replace(bandwidth=self.kernel(adapted.metric.whiten(ensemble.particles))[1])

    def _proposed(
        self, start: Ensemble, burn_in: BurnInState, size: float, log_density: LogDensity, rng: np.random.Generator
    ) -> Proposal:
        """Eq. 22 with the noise of eq. 25."""
        metric, kernel = burn_in.metric, RBF(burn_in.bandwidth)
        y = metric.whiten(start.particles)
        forth = _step(y, metric.pull(start.gradient), kernel, size)
        new = forth.mean + forth.noise(burn_in.variance, rng)
        end = self._evaluated(metric.unwhiten(new), log_density, size)

        def log_ratios() -> Floats:
            back = _step(new, metric.pull(end.gradient), kernel, size)
            ratio = float(end.gained(start).sum()) + back.log_density(y) - forth.log_density(new)
            # What could be evaluated neither before nor after has no ratio.
            return np.array([-np.inf if np.isnan(ratio) else ratio])

        return Proposal(end, log_ratios)


def _step(y: Floats, gradient: Floats, kernel: RBF, epsilon: float) -> Step:
    n = len(y)
    K, bandwidth = kernel(y)
    mean = y + epsilon * drift(y, gradient, K, bandwidth)
    if not (np.isfinite(K).all() and np.isfinite(mean).all()):
        raise AlgorithmError(f"particles diverged: use a step_size below {epsilon:g}")
    try:
        factor = scipy.linalg.cholesky(K + JITTER * np.eye(n), lower=True)
    except np.linalg.LinAlgError as error:  # distances of particles far out are lost to rounding
        raise AlgorithmError(f"particles diverged: use a step_size below {epsilon:g}") from error
    return Step(mean, np.sqrt(2 * epsilon / n) * factor)
