"""The direction of stein_groups.h in plain NumPy: slow, written to be read and to hold the native kernel to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vip.kernels_c.door import Floats


def direction(particles: ArrayLike, gradient: ArrayLike, groups: ArrayLike, widening: float = 1.0, threads: int = 1) -> Floats:
    """Twin of the native `direction`, whose docstring applies; `threads` changes nothing."""
    particles, gradient, groups = np.asarray(particles, float), np.asarray(gradient, float), np.asarray(groups)
    phi = np.empty_like(particles)
    for group in np.unique(groups):
        own = groups == group
        phi[:, own] = of_one_kernel(particles[:, own], gradient[:, own], widening)
    return phi


def of_one_kernel(x: Floats, g: Floats, widening: float) -> Floats:
    """Direction phi (n, k) of particles and gradients (n, k)."""
    n, apart = len(x), x[:, None] - x
    squared = (apart**2).sum(axis=2)
    h2 = widening**2 * squared_bandwidth(squared)
    K = np.exp(-squared / (2 * h2))
    phi: Floats = (K[:, :, None] * (g + apart / h2)).sum(axis=1) / n
    return phi


def squared_bandwidth(squared: Floats) -> float:
    """Squared bandwidth by the median heuristic, from squared distances (n, n)."""
    n = len(squared)
    median = float(np.median(squared[np.triu_indices(n, 1)])) if n > 1 else 0
    return median / (2 * float(np.log(n))) if median > 0 else 1
