"""Kernels between particles and the Stein direction, as matrix products.

A diagonal matrix-valued kernel ``Q^-1 k_Q(x, y)`` with ``k_Q = exp(-(x - y)^T Q (x - y) / 2 h^2)`` (Wang et al. 2019) is the
scalar kernel in the coordinates ``Q^1/2 x``; so one code serves both, and noise drawn with it has the matching scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.linalg.blas import dsyrk

from vip.protocols import Floats

COLUMNS = 2048
"""Columns of the particles worked on at a time, so that temporary arrays stay small."""

SMALLEST = 1e-12
"""Least variance or square gradient in a metric: an entry that never changes must not divide by zero."""

Metric = Callable[[Floats, Floats], Floats]
"""``metric(particles (n, d), gradients (n, d)) -> (d,)``: the diagonal of Q of a matrix-valued kernel."""


def inverse_variance(particles: Floats, gradient: Floats) -> Floats:
    """Metric (d,) of Zhang & Curtis (2021): one over the variance over particles.

    Examples
    --------
    >>> inverse_variance(np.array([[0.0], [2.0]]), np.zeros((2, 1))).tolist()
    [1.0]
    """
    precision: Floats = 1 / np.maximum(particles.var(axis=0), SMALLEST)
    return precision


def mean_square_gradient(particles: Floats, gradient: Floats) -> Floats:
    """Metric (d,): the mean square of the gradient over particles.

    Over samples of the posterior its expectation is the diagonal of the mean curvature (Fisher's identity), so that a
    unit step suits both what the data constrain and what they do not.

    Examples
    --------
    >>> mean_square_gradient(np.zeros((2, 1)), np.array([[1.0], [3.0]])).tolist()
    [5.0]
    """
    square: Floats = np.maximum(np.mean(gradient**2, axis=0), SMALLEST)
    return square


METRICS: dict[str, Metric] = {"variance": inverse_variance, "gradient": mean_square_gradient}


class RBF:
    """Radial basis functions, eq. 16 of Zhang & Curtis (2024), with an optional diagonal metric.

    Parameters
    ----------
    bandwidth : float, optional
        h in the coordinates of the metric. Without it the median heuristic of Liu & Wang (2016):
        ``h^2 = median^2 / (2 log n)`` over the distances between different particles, so that a particle's kernel
        values to the others sum to about one.
    metric : (d,) float, optional
        The diagonal of Q; one everywhere gives the scalar kernel.

    Examples
    --------
    >>> kernel = RBF(bandwidth=1.0)
    >>> K, h = kernel(np.array([[0.0], [1.0]]))
    >>> float(K[0, 1].round(4)), h
    (0.6065, 1.0)
    """

    def __init__(self, bandwidth: float | None = None, metric: Floats | None = None) -> None:
        self.bandwidth = bandwidth
        self.metric = metric

    def __call__(self, particles: Floats) -> tuple[Floats, float]:
        """Kernel matrix (n, n) of particles (n, d), and the bandwidth it was made with."""
        squared = squared_distances(particles, self.metric)
        h = median_bandwidth(squared) if self.bandwidth is None else self.bandwidth
        squared *= -0.5 / h**2
        return np.exp(squared, out=squared), h


def squared_distances(particles: Floats, metric: Floats | None = None) -> Floats:
    """Squared distances (n, n) between particles (n, d) under a diagonal metric (d,): one rank-k update by column blocks."""
    n, d = particles.shape
    gram = np.zeros((n, n), order="F")
    for start in range(0, d, COLUMNS):
        block = particles[:, start : start + COLUMNS] - particles[0, start : start + COLUMNS]  # fewer digits cancel
        if metric is not None:
            block *= np.sqrt(metric[start : start + COLUMNS])
        # The transpose of a C array is the Fortran array that BLAS wants: no copy is made.
        gram = dsyrk(1.0, block.T, beta=1.0, c=gram, trans=1, lower=1, overwrite_c=1)
    squared_norm = np.diag(gram)
    squared = squared_norm[:, None] + squared_norm - 2 * (gram + gram.T)  # only the lower triangle of gram is filled
    np.fill_diagonal(squared, 0)
    return np.maximum(squared, 0, out=squared)


def median_bandwidth(squared: Floats) -> float:
    """Bandwidth of the median heuristic from squared distances (n, n), the zero diagonal left out."""
    n = len(squared)
    if n < 2:
        return 1.0
    median = float(np.median(squared[np.tri(n, k=-1, dtype=bool)]))
    return math.sqrt(median / (2 * math.log(n))) if median > 0 else 1.0


def stein_direction(particles: Floats, gradient: Floats, kernel: RBF) -> Floats:
    """The direction of eq. 17: ``phi_i = 1/n sum_j [Q^-1 k(x_j, x_i) g_j + k(x_j, x_i) (x_i - x_j) / h^2]``.

    Parameters
    ----------
    particles, gradient : (n, d) float
        Particles and the gradients of their log-density.
    kernel : RBF

    Returns
    -------
    (n, d) float

    Examples
    --------
    >>> direction = stein_direction(np.array([[0.0], [1.0]]), np.zeros((2, 1)), RBF(bandwidth=1.0))
    >>> bool(direction[0, 0] < 0 < direction[1, 0])  # without data, particles part
    True
    """
    K, h = kernel(particles)
    return drift(particles, gradient, K, h, kernel.metric)


def drift(particles: Floats, gradient: Floats, K: Floats, bandwidth: float, metric: Floats | None = None) -> Floats:
    """Drift plus divergence of the kernel matrix, eq. 22 without its step and noise, for a kernel matrix K (n, n) at hand.

    ``sum_j k_ij (Q^-1 g_j - x_j / h^2) + x_i sum_j k_ij / h^2`` needs one matrix product. Columns are independent and taken in
    blocks, so that beyond the result (n, d) only a block is held.
    """
    n, d = particles.shape
    weight = K / n
    outward = weight.sum(axis=1, keepdims=True) / bandwidth**2
    direction = np.empty((n, d))
    for start in range(0, d, COLUMNS):
        columns = slice(start, start + COLUMNS)
        x, pull = particles[:, columns], gradient[:, columns]
        if metric is not None:
            pull = pull / metric[columns]
        block = x / -(bandwidth**2)
        block += pull
        np.matmul(weight, block, out=direction[:, columns])
        np.multiply(x, outward, out=block)
        direction[:, columns] += block
    return direction
