"""A kernel for each entry of the model, of that entry and its neighbours on the grid: message-passing SVGD.

In high dimension all particles are equally far from each other, and one kernel of all entries hardly repels. Neighbourhoods
are small (Zhuo et al. 2018; Wang, Zeng & Liu 2018), so that each marginal is represented, exactly where the posterior is a
Markov field with these neighbourhoods.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from vip.protocols import Floats, ModelSpace

NEIGHBOURHOODS = 32
"""Number of neighbourhoods worked on at a time, since pairwise distances of all of them may not fit into memory."""


class LocalRBF:
    """Radial basis functions of neighbourhoods, each with its own median bandwidth.

    Parameters
    ----------
    neighbours : (d, d) sparse
        One where the column's entry belongs to the neighbourhood of the row's entry; each entry is its own neighbour too.
    widening : float
        Factor of all bandwidths. Kernels a few times wider than the heuristic keep more of the variance and fewer of the modes.
    """

    def __init__(self, neighbours: Any, widening: float = 1.0) -> None:
        self.neighbours, self.widening = sp.csr_array(neighbours), widening

    def direction(self, particles: Floats, gradient: Floats) -> Floats:
        """``phi_ik = 1/n sum_j k_k(x_j, x_i) [g_jk + (x_ik - x_jk) / h_k^2]``, where k_k sees the neighbourhood of entry k."""
        n, d = particles.shape
        direction = np.empty((n, d))
        for start in range(0, d, NEIGHBOURHOODS):
            entries = slice(start, start + NEIGHBOURHOODS)
            block = self.neighbours[entries]
            seen = np.unique(block.indices)
            apart = (particles[:, None, seen] - particles[None, :, seen]) ** 2
            squared = (apart.reshape(n * n, -1) @ block[:, seen].T.toarray()).reshape(n, n, -1)
            h2 = self.widening**2 * _median_bandwidths(squared)
            K = np.exp(squared / (-2 * h2))
            x, g = particles[:, entries], gradient[:, entries]
            direction[:, entries] = (np.einsum("ijk,jk->ik", K, g - x / h2) + x / h2 * K.sum(axis=1)) / n
        return direction


def _median_bandwidths(squared: Floats) -> Floats:
    """Squared bandwidths (k,) by the median heuristic, from squared distances (n, n, k) without the zero diagonal."""
    n = len(squared)
    if n < 2:
        return np.ones(squared.shape[2])
    median = np.median(squared[np.tri(n, k=-1, dtype=bool)], axis=0)
    return np.where(median > 0, median / (2 * math.log(n)), 1.0)


def neighbourhoods(space: ModelSpace, reach: int) -> sp.csr_array:
    """Entries (d, d) at most `reach` nodes apart along each axis of the same variable; labels, like periods, are no axes.

    Examples
    --------
    >>> from vip.protocols import Variable
    >>> line = ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(3.0)}),))
    >>> neighbourhoods(line, 1).toarray().astype(int).tolist()
    [[1, 1, 0], [1, 1, 1], [0, 1, 1]]
    """
    blocks = []
    for variable in space.variables:
        block = sp.eye_array(1)
        for dim, length in zip(variable.dims, variable.shape, strict=True):
            numeric = np.issubdtype(np.asarray(variable.coords[dim]).dtype, np.number)
            width = min(reach, length - 1) if numeric else 0
            band = sp.diags_array(
                [np.ones(length - abs(k)) for k in range(-width, width + 1)], offsets=list(range(-width, width + 1))
            )
            block = sp.kron(block, band)
        blocks.append(block)
    return sp.csr_array(sp.block_diag(blocks))


def within(groups: NDArray[np.intp]) -> sp.csr_array:
    """Entries (d, d) of the same group (d,).

    Examples
    --------
    >>> within(np.array([0, 1, 0])).toarray().astype(int).tolist()
    [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    """
    member = sp.csr_array((np.ones(len(groups)), (np.arange(len(groups)), groups)))
    return sp.csr_array(member @ member.T)
