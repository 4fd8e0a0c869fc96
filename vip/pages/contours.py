"""Contours of samples in a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from vip.pages.style import BLUE

LEVELS = (0.5, 0.9)
"""Shares of the posterior inside the contours."""
GRID = 60
"""Number of nodes of a contoured density along each axis."""


def contours(ax: Any, samples: NDArray[np.float64], margin: float) -> None:
    """Draw contours of a kernel density estimate of samples (n, 2) around shares of its mass.

    Parameters
    ----------
    ax : Axes
    samples : (n, 2) float
        Nothing is drawn if they lie on a line.
    margin : float
        How far beyond the samples the density is estimated, over their range.
    """
    low, high = samples.min(axis=0), samples.max(axis=0)
    if np.linalg.matrix_rank(np.cov(samples.T)) < 2:
        return
    x, y = (np.linspace(a - margin * (b - a), b + margin * (b - a), GRID) for a, b in zip(low, high, strict=True))
    density = gaussian_kde(samples.T)(np.stack([v.ravel() for v in np.meshgrid(x, y)])).reshape(GRID, GRID)
    ordered = np.sort(density, axis=None)[::-1]
    mass = np.cumsum(ordered) / ordered.sum()
    levels = [float(ordered[np.searchsorted(mass, share)]) for share in sorted(LEVELS, reverse=True)]
    ax.contour(x, y, density, levels=levels, colors=BLUE, linewidths=[0.9, 1.5], zorder=3)
