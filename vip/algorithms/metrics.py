"""Metrics: the known scales of a density, as a linear map to coordinates in which it is round.

With ``y = A x`` and ``Q = A^T A`` an algorithm that is scalar in y is the one preconditioned by Q in x: a matrix-valued kernel
``Q^-1 k(Q^1/2 x, Q^1/2 x')`` (Wang et al. 2019), Langevin noise of covariance Q^-1, a mass matrix Q. So each algorithm is
written once, for y, and a metric is the map.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy.linalg

from vip.protocols import Floats

SMALLEST = 1e-12
"""Least variance or square gradient: an entry that never changes must not divide by zero."""
MEMORY = 100
"""Number of iterations over which moments are averaged."""
REFRESH = 10
"""Number of iterations between two decompositions of a full or low-rank metric."""
PRIOR_ROWS = 0.1
"""Number of rows of unit size that are added in each direction, for what is not known."""
ROWS_PER_RANK = 6
"""Number of pairs of particle and gradient that are kept for each direction of a low-rank metric."""


class Metric(NamedTuple):
    """A metric, the map ``y = (I + V (s - 1) V^T) diag(c) x``: scales c (d,), orthonormal columns V (d, r), stretches s (r,).

    Examples
    --------
    >>> metric = diagonal(np.array([4.0, 1.0]))
    >>> metric.whiten(np.array([[1.0, 1.0]])).tolist()
    [[2.0, 1.0]]
    """

    scale: Floats
    basis: Floats
    stretch: Floats

    def whiten(self, x: Floats) -> Floats:
        """Coordinates y (n, d) of x (n, d)."""
        return self._stretched(x * self.scale, self.stretch)

    def unwhiten(self, y: Floats) -> Floats:
        """The x (n, d) of coordinates y (n, d)."""
        return self._stretched(y, 1 / self.stretch) / self.scale

    def pull(self, gradient: Floats) -> Floats:
        """Gradients (n, d) by y, from gradients (n, d) by x."""
        return self._stretched(gradient / self.scale, 1 / self.stretch)

    def _stretched(self, z: Floats, factors: Floats) -> Floats:
        if not len(factors):
            return z
        stretched: Floats = z + ((z @ self.basis) * (factors - 1)) @ self.basis.T
        return stretched


def diagonal(precision: Floats) -> Metric:
    """The metric with Q diagonal (d,)."""
    return Metric(np.sqrt(precision), np.zeros((len(precision), 0)), np.zeros(0))


class Estimator(Protocol):
    """A way to learn a metric from particles (n, d) and gradients (n, d). Its estimate is a NamedTuple of arrays."""

    is_curvature: bool
    """Whether the metric is the curvature of the log-density, at any particles, and no property of their distribution."""

    def init(self, theta0: Floats) -> Any:
        """First estimate, from particles drawn from the prior."""

    def update(self, estimate: Any, particles: Floats, gradient: Floats) -> Any:
        """The estimate after one more iteration."""

    def metric(self, estimate: Any) -> Metric:
        """The metric that an estimate gives."""


class DiagonalEstimate(NamedTuple):
    """A running mean (d,) of the diagonal of Q, what is always added to it (d,), and iterations so far."""

    mean: Floats
    always: Floats
    updates: int


class Unit:
    """No metric: Q is the identity."""

    is_curvature = False

    def init(self, theta0: Floats) -> DiagonalEstimate:
        """First estimate: one everywhere."""
        one = np.ones(theta0.shape[1])
        return DiagonalEstimate(one, np.zeros_like(one), 0)

    def update(self, estimate: DiagonalEstimate, particles: Floats, gradient: Floats) -> DiagonalEstimate:
        """The same estimate."""
        return estimate

    def metric(self, estimate: DiagonalEstimate) -> Metric:
        """The metric of the running mean."""
        return diagonal(estimate.mean)


class InverseVariance(Unit):
    """Inverse variance over particles (Zhang & Curtis 2021), averaged over recent iterations, plus that of the prior.

    The prior's part keeps the scale of what nothing else constrains: without it, particles that spread would take ever longer
    steps.
    """

    def init(self, theta0: Floats) -> DiagonalEstimate:
        """First estimate: the prior's inverse variance."""
        start = 1 / np.maximum(theta0.var(axis=0), SMALLEST)
        return DiagonalEstimate(start, self._always(start), 0)

    def update(self, estimate: DiagonalEstimate, particles: Floats, gradient: Floats) -> DiagonalEstimate:
        """The estimate with the inverse variance of this iteration."""
        weight = max(1 / (estimate.updates + 1), 1 / MEMORY)
        seen = estimate.always + self._seen(particles, gradient)
        return estimate._replace(mean=(1 - weight) * estimate.mean + weight * seen, updates=estimate.updates + 1)

    def _always(self, start: Floats) -> Floats:
        return start

    def _seen(self, particles: Floats, gradient: Floats) -> Floats:
        precision: Floats = 1 / np.maximum(particles.var(axis=0), SMALLEST)
        return precision


class MeanSquareGradient(InverseVariance):
    """Mean square of the gradient over particles, plus the prior's inverse variance.

    Over samples of the posterior its expectation is the diagonal of the mean curvature (Fisher's identity), so that a
    unit step suits both what the data constrain and what they do not.
    """

    def _seen(self, particles: Floats, gradient: Floats) -> Floats:
        square: Floats = np.mean(gradient**2, axis=0)
        return square


class RootMeanSquareGradient(InverseVariance):
    """Root of the mean square gradient, as in RMSProp, for SGLD (Li et al. 2016, eq. 4)."""

    def _always(self, start: Floats) -> Floats:
        return np.zeros_like(start)

    def _seen(self, particles: Floats, gradient: Floats) -> Floats:
        root: Floats = np.sqrt(np.maximum(np.mean(gradient**2, axis=0), SMALLEST))
        return root


class CovarianceEstimate(NamedTuple):
    """Running mean (d,) and covariance (d, d) of the particles, number of iterations, and the metric last made from them."""

    mean: Floats
    covariance: Floats
    updates: int
    metric: Metric


class Covariance:
    """Inverse of the particles' covariance, for d up to some hundred (Haario et al. 2001)."""

    is_curvature = False

    def init(self, theta0: Floats) -> CovarianceEstimate:
        """First estimate: the prior's variances."""
        mean, variance = theta0.mean(axis=0), np.maximum(theta0.var(axis=0), SMALLEST)
        d = len(mean)
        metric = Metric(1 / np.sqrt(variance), np.eye(d), np.ones(d))
        return CovarianceEstimate(mean, np.diag(variance), 0, metric)

    def update(self, estimate: CovarianceEstimate, particles: Floats, gradient: Floats) -> CovarianceEstimate:
        """The estimate with this iteration's particles; the prior counts as much as d particles, which keeps it invertible."""
        count = estimate.updates + 1
        weight = max(1 / count, 1 / MEMORY)
        mean = (1 - weight) * estimate.mean + weight * particles.mean(axis=0)
        centred = particles - mean
        weight = max(1 / (count + len(mean) / len(particles)), 1 / (MEMORY + len(mean)))
        covariance = (1 - weight) * estimate.covariance + weight * centred.T @ centred / len(centred)
        metric = decomposed(covariance) if count % REFRESH == 1 else estimate.metric
        return CovarianceEstimate(mean, covariance, count, metric)

    def metric(self, estimate: CovarianceEstimate) -> Metric:
        """The metric last made."""
        return estimate.metric


def decomposed(covariance: Floats) -> Metric:
    """The metric with Q the inverse of a covariance (d, d)."""
    scale = 1 / np.sqrt(np.maximum(np.diag(covariance), SMALLEST))
    variance, basis = scipy.linalg.eigh(covariance * np.outer(scale, scale))
    return Metric(scale, basis, 1 / np.sqrt(np.maximum(variance, SMALLEST)))


class Known(Unit):
    """A metric that is known beforehand: the inverse of the covariance of draws from something close to the density.

    Parameters
    ----------
    draws : (n, d) float
        Many more draws than d.
    """

    def __init__(self, draws: Floats) -> None:
        self._metric = decomposed(np.cov(draws.T).reshape(draws.shape[1], -1))

    def metric(self, estimate: DiagonalEstimate) -> Metric:
        """The metric, whatever the particles are."""
        return self._metric


class PairsEstimate(NamedTuple):
    """Recent particles and their gradients (rows, d), number of filled rows, number of iterations, and the metric."""

    particles: Floats
    gradient: Floats
    filled: int
    updates: int
    metric: Metric


class LowRank:
    """The prior's variances plus low rank, from pairs of particle and gradient, whose differences show the curvature.

    Where the data say little, the posterior is the prior (Spantini et al. 2015). In coordinates scaled by the prior, Q solves
    ``Q Cov(x) Q = Cov(g)`` in the span of the leading directions of both (Seyboldt, Carlson & Carpenter 2024). For a Gaussian
    ``g = -H (x - mean)``, so that Q is H in that span, exactly and from any particles, as with the secants of a quasi-Newton
    method.

    Parameters
    ----------
    rank : int
        Number of directions besides the diagonal; memory is ``13 rank d`` numbers.
    """

    is_curvature = True

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def init(self, theta0: Floats) -> PairsEstimate:
        """First estimate: the prior's variances, and no pairs."""
        d = theta0.shape[1]
        rank = min(self.rank, d)
        empty = np.zeros((ROWS_PER_RANK * self.rank, d))
        scale = 1 / np.sqrt(np.maximum(theta0.var(axis=0), SMALLEST))
        return PairsEstimate(empty, empty, 0, 0, Metric(scale, np.eye(d, rank), np.ones(rank)))

    def update(self, estimate: PairsEstimate, particles: Floats, gradient: Floats) -> PairsEstimate:
        """The estimate with this iteration's pairs, while there is room; then every few iterations, as neighbours are alike."""
        rows, count = len(estimate.particles), estimate.updates + 1
        refresh = max(REFRESH, rows // len(particles) // 2)  # a decomposition costs as much as many small steps
        if estimate.filled == rows and count % refresh != 1:
            return estimate._replace(updates=count)
        x, g = (
            np.concatenate([new, old])[:rows] for new, old in ((particles, estimate.particles), (gradient, estimate.gradient))
        )
        filled = min(estimate.filled + len(particles), rows)
        metric = self._fitted(x[:filled], g[:filled], estimate.metric.scale) if count % refresh == 1 else estimate.metric
        return PairsEstimate(x, g, filled, count, metric)

    def metric(self, estimate: PairsEstimate) -> Metric:
        """The metric last made."""
        return estimate.metric

    def _fitted(self, x: Floats, g: Floats, scale: Floats) -> Metric:
        x, g = x - x.mean(axis=0), g - g.mean(axis=0)
        x, g = x * scale, g / scale
        rank = min(self.rank, x.shape[1], max(1, len(x) // 3))  # each of twice as many directions needs rows of its own
        basis = scipy.linalg.orth(np.concatenate([_leading(x, rank), _leading(g, rank)], axis=1))
        root = _geometric_mean(_shrunk(x @ basis), _shrunk(g @ basis))
        curvature, vectors = scipy.linalg.eigh(root)
        curvature = np.maximum(curvature, SMALLEST * curvature[-1])  # far from the posterior, zero to rounding
        chosen = np.argsort(np.abs(np.log(curvature)))[::-1][:rank]
        directions, stretch = basis @ vectors[:, chosen], np.sqrt(curvature[chosen])
        missing = min(self.rank, x.shape[1]) - len(chosen)
        return Metric(scale, np.pad(directions, ((0, 0), (0, missing))), np.pad(stretch, (0, missing), constant_values=1.0))


def _leading(rows: Floats, rank: int) -> Floats:
    """The directions (d, rank) in which rows (m, d) are largest."""
    return np.linalg.svd(rows, full_matrices=False)[2][:rank].T


def _shrunk(rows: Floats) -> Floats:
    """Second moments of rows (m, k), plus a little of the identity, so that unknown directions are not scaled."""
    moments: Floats = (rows.T @ rows + PRIOR_ROWS * np.eye(rows.shape[1])) / (len(rows) + PRIOR_ROWS)
    return moments


def _geometric_mean(of_x: Floats, of_g: Floats) -> Floats:
    """The positive definite A with ``A of_x A = of_g``."""
    values, vectors = scipy.linalg.eigh(of_x)
    root, inverse = (vectors * values**power @ vectors.T for power in (0.5, -0.5))
    values, vectors = scipy.linalg.eigh(root @ of_g @ root)
    half = inverse @ vectors * np.maximum(values, 0) ** 0.25
    mean: Floats = half @ half.T
    return mean


DIAGONAL: dict[str, Estimator] = {
    "none": Unit(),
    "variance": InverseVariance(),
    "gradient": MeanSquareGradient(),
    "rmsprop": RootMeanSquareGradient(),
}
"""Estimators of diagonal metrics, by name."""
