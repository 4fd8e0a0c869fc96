"""What grids of waves in two and in three dimensions have in common: staggered differences, and points between nodes."""

from __future__ import annotations

import math

import numpy as np

from vip.kernels_c.door import Floats

STAGGERED = {
    2: (1.0,),
    4: (9 / 8, -1 / 24),
    8: (1225 / 1024, -245 / 3072, 49 / 5120, -5 / 7168),
}
"""Coefficients of the first derivative half way between nodes, from the nearest outwards, by order (Fornberg 1988, table 2)."""

KAISER_B = 6.31
KAISER_WIDTH = 4
"""Half width of the windowed sinc, and the shape of its window (Hicks 2002, table 1)."""
ON_NODE = 1e-6
"""Distance from a node, in spacings, below which a point is on it."""


def windowed_sinc(position: float) -> tuple[Floats, Floats]:
    """Nodes near a position and their weights: a sinc in a Kaiser window (Hicks 2002, eqs. 4-6), one node where it is on a node.

    Parameters
    ----------
    position : float
        Position, in spacings from node 0.

    Returns
    -------
    nodes, weights : (n,) float
        Numbers of the nodes, negative before node 0, and the weights of their values.

    Examples
    --------
    >>> windowed_sinc(3.0)
    (array([3.]), array([1.]))
    """
    nearest = round(position)
    if abs(position - nearest) < ON_NODE:
        return np.array([float(nearest)]), np.ones(1)
    nodes = math.floor(position) + np.arange(1.0 - KAISER_WIDTH, KAISER_WIDTH + 1)
    distance = position - nodes
    window = np.i0(KAISER_B * np.sqrt(1 - (distance / KAISER_WIDTH) ** 2)) / np.i0(KAISER_B)
    return nodes, window * np.sinc(distance)
