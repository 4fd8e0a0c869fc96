"""What grids of waves in 2-D and 3-D have in common: staggered differences, absorbing layers, points between nodes."""

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

REFLECTION = 1e-4
"""Reflection of an absorbing layer at normal incidence, in theory. Smaller values damp more steeply, and thereby reflect."""
PROFILE_POWER = 3

KAISER_B = 6.31
KAISER_WIDTH = 4
"""Half width of the windowed sinc, and the shape of its window (Hicks 2002, table 1)."""
ON_NODE = 1e-6
"""Distance from a node, in spacings, below which a point is on it."""


def layer_damping(depth: Floats, speed: float, thickness: float) -> Floats:
    """Damping in an absorbing layer, 1/s, whose integral gives the reflection (Collino & Tsogka 2001, eq. 24).

    Parameters
    ----------
    depth : array of float
        Depth in the layer, over its thickness; there is no damping where it is not positive.
    speed : float
        Velocity for which the layer is made, m/s.
    thickness : float
        Thickness of the layer, m.
    """
    largest = (PROFILE_POWER + 1) * speed * math.log(1 / REFLECTION) / (2 * thickness)
    damping: Floats = largest * np.clip(depth, 0, 1) ** PROFILE_POWER
    return damping


def windowed_sinc(position: float) -> tuple[Floats, Floats]:
    """Nodes near a position and their weights: a sinc in a Kaiser window (Hicks 2002, eqs. 4-6); on a node, that node alone.

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
