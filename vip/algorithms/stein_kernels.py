"""Kernels between particles and the direction in which they move the particles (Liu & Wang 2016), as matrix products.

Kernels here are scalar; a matrix-valued one is the scalar kernel in the coordinates of a metric, see `vip.algorithms.metrics`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk

from vip.protocols import Floats

COLUMNS = 2048
"""Number of columns of the particles worked on at a time, so that temporary arrays stay small."""


class RBF:
    """Radial basis functions, eq. 16 of Zhang & Curtis (2024).

    Parameters
    ----------
    bandwidth : float, optional
        Bandwidth h. Without it, the median heuristic of Liu & Wang (2016):
        ``h^2 = median^2 / (2 log n)`` over the distances between different particles, so that a particle's kernel
        values to the others sum to about one.
    widening : float
        Factor of the median heuristic's bandwidth.

    Examples
    --------
    >>> kernel = RBF(bandwidth=1.0)
    >>> K, h = kernel(np.array([[0.0], [1.0]]))
    >>> float(K[0, 1].round(4)), h
    (0.6065, 1.0)
    """

    def __init__(self, bandwidth: float | None = None, widening: float = 1.0) -> None:
        self.bandwidth, self.widening = bandwidth, widening

    def __call__(self, particles: Floats) -> tuple[Floats, float]:
        """Kernel matrix (n, n) of particles (n, d), and the bandwidth it was made with."""
        squared = squared_distances(particles)
        h = self.widening * median_bandwidth(squared) if self.bandwidth is None else self.bandwidth
        squared *= -0.5 / h**2
        return np.exp(squared, out=squared), h

    def direction(self, particles: Floats, gradient: Floats) -> Floats:
        """The direction of eq. 17: ``phi_i = 1/n sum_j [k(x_j, x_i) g_j + k(x_j, x_i) (x_i - x_j) / h^2]``.

        Parameters
        ----------
        particles, gradient : (n, d) float
            Particles and the gradients of their log-density.

        Returns
        -------
        (n, d) float

        Examples
        --------
        >>> direction = RBF(bandwidth=1.0).direction(np.array([[0.0], [1.0]]), np.zeros((2, 1)))
        >>> bool(direction[0, 0] < 0 < direction[1, 0])  # without data, particles part
        True
        """
        K, h = self(particles)
        return drift(particles, gradient, K, h)


class GroupRBF:
    """Radial basis functions of the entries of each group, each with its own median bandwidth: many problems in one model.

    Parameters
    ----------
    groups : (d,) int
        Group of each entry, as any labels.
    widening : float
        Factor of all bandwidths.

    Examples
    --------
    >>> kernel = GroupRBF(np.array([7, 2, 7]))
    >>> kernel.direction(np.array([[0.0, 0.0, 0.0], [1.0, 9.0, 0.0]]), np.zeros((2, 3))).round(4)
    array([[-0.3466, -0.0385,  0.    ],
           [ 0.3466,  0.0385,  0.    ]])
    """

    def __init__(self, groups: NDArray[np.intp], widening: float = 1.0) -> None:
        self.groups, self.widening = np.unique(groups, return_inverse=True)[1], widening

    def direction(self, particles: Floats, gradient: Floats) -> Floats:
        """The direction (n, d) of eq. 17, as of `RBF.direction` for each group alone."""
        from vip.kernels_c.stein_groups import direction  # native code is loaded by runs that need it

        return np.asarray(direction(particles, gradient, self.groups, self.widening))


def squared_distances(particles: Floats) -> Floats:
    """Squared distances (n, n) between particles (n, d): one rank-k update by column blocks."""
    n, d = particles.shape
    gram = np.zeros((n, n), order="F")
    for start in range(0, d, COLUMNS):
        block = particles[:, start : start + COLUMNS] - particles[0, start : start + COLUMNS]  # fewer digits cancel
        # The transpose of a C array is the Fortran array that BLAS wants: no copy is made.
        gram = dsyrk(1.0, block.T, beta=1.0, c=gram, trans=1, lower=1, overwrite_c=1)
    squared_norm = np.diag(gram)
    squared = squared_norm[:, None] + squared_norm - 2 * (gram + gram.T)  # only the lower triangle of gram is filled
    np.fill_diagonal(squared, 0)
    return np.maximum(squared, 0, out=squared)


def median_bandwidth(squared: Floats) -> float:
    """Bandwidth of the median heuristic from squared distances (n, n), without the zero diagonal."""
    n = len(squared)
    if n < 2:
        return 1.0
    median = float(np.median(squared[np.tri(n, k=-1, dtype=bool)]))
    return math.sqrt(median / (2 * math.log(n))) if median > 0 else 1.0


def drift(particles: Floats, gradient: Floats, K: Floats, bandwidth: float) -> Floats:
    """Drift (n, d) of eq. 22 with the divergence of the kernel matrix, without step and noise, from a kernel matrix K (n, n).

    ``sum_j k_ij (g_j - x_j / h^2) + x_i sum_j k_ij / h^2`` needs one matrix product. Columns are independent and taken in
    blocks, so that beyond the result (n, d) only a block is held.
    """
    n, d = particles.shape
    weight = K / n
    outward = weight.sum(axis=1, keepdims=True) / bandwidth**2
    direction = np.empty((n, d))
    for start in range(0, d, COLUMNS):
        columns = slice(start, start + COLUMNS)
        x = particles[:, columns]
        block = x / -(bandwidth**2)
        block += gradient[:, columns]
        np.matmul(weight, block, out=direction[:, columns])
        np.multiply(x, outward, out=block)
        direction[:, columns] += block
    return direction
