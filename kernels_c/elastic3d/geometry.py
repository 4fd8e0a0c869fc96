"""Grid, time step, absorbing layers and free surface of `elastic3d`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vip.kernels_c import door
from vip.kernels_c.door import Floats
from vip.kernels_c.staggered import STAGGERED, layer_damping

ORDERS = (4, 8)
AXES = "xyz"
HALO = 4
"""Nodes around the grid that stencils reach."""
GHOST = ((3.0, -3.0, 1.0), (6.0, -8.0, 3.0), (10.0, -15.0, 6.0), (15.0, -24.0, 10.0))
"""Velocities 1 to 4 nodes above a free surface, from those of the first 3 below it: the parabola through these.

Behind it the stencil of 4th order at the surface is that of 2nd order, which needs nothing above.
"""

STRESS_GHOST = (
    (-3.0, 1.0, -2.0, 1 / 3),
    (-8.0, 3.0, -9.0, 2.0),
    (-15.0, 6.0, -20.0, 5.0),
    (-24.0, 10.0, -35.0, 28 / 3),
)
"""Stresses there, from the next two values below it: weights for zz, then for xz and yz; the parabola is zero on it."""

CARRIED = 2.0
"""Nodes per wavelength at the frequency for which layers are made if none is given.

Made for lower frequencies, they absorb better at grazing incidence, but beside a free surface waves grow slowly: by a factor of
e in 700 steps for 8 nodes.
"""

Width = int | Sequence[Sequence[int]]


@dataclass(frozen=True)
class Absorber:
    """What is at the sides of the model: absorbing layers outside it, a free surface on top of it, or rigid walls.

    Parameters
    ----------
    width : int or 3 pairs of int
        Width of the layers, nodes: at all sides, or where x, y and z begin and end. Width 0 is a rigid wall.
    free_surface : bool
        Whether z = 0 is a free surface; there is no layer above it then.
    frequency : float, optional
        Dominant frequency of the waves, Hz, for which the layers are made. By default, that of S waves (in a model of water
        alone, P waves) of 2 nodes a wavelength: lower ones absorb better, but waves grow slowly beside a free surface.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used; the message names it.
    """

    width: Width = 10
    free_surface: bool = False
    frequency: float | None = None

    def __post_init__(self) -> None:
        _ = self.widths
        if self.frequency is not None:
            door.number("absorber.frequency", self.frequency, low=door.SMALLEST, high=door.LARGEST)

    @property
    def widths(self) -> tuple[tuple[int, int], ...]:
        """Width of the layer before and after the model along x, y and z, nodes."""
        width = np.asarray(self.width)
        pairs = np.full((3, 2), width) if width.ndim == 0 else width
        pairs = door.integers("absorber.width", pairs, (3, 2), low=0, high=10**6)
        if self.free_surface:
            pairs[2, 0] = 0
        return tuple((int(low), int(high)) for low, high in pairs)


@dataclass(frozen=True)
class Grid:
    """Nodes in space and time, with the layers around the model.

    Parameters
    ----------
    shape : (x, y, z)
        Number of nodes of the model.
    spacing : (x, y, z)
        Spacing of nodes, m.
    dt : float
        Time step, s.
    order : {4, 8}
        Order of accuracy in space.
    absorber : Absorber
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    dt: float
    order: int
    absorber: Absorber

    @property
    def half(self) -> int:
        """Half of the order in space."""
        return self.order // 2

    @property
    def nodes(self) -> tuple[int, int, int]:
        """Number of nodes with layers."""
        x, y, z = (n + sum(pair) for n, pair in zip(self.shape, self.absorber.widths, strict=True))
        return x, y, z

    @property
    def axes(self) -> tuple[int, int, int]:
        """Axes x, y and z (0, 1, 2) in the order in which the kernel works: planes of the first, rows of the third.

        Rows are long, as their ends are worked on in whole groups; but a free surface has to be where they begin.
        """
        first, second, third = sorted(range(3), key=lambda a: (a == 2 if self.absorber.free_surface else self.nodes[a], -a))
        return second, first, third

    def stencil(self, axis: int) -> Floats:
        """Coefficients of the first derivative half way between nodes, from the nearest outwards, 1/m."""
        return np.array(STAGGERED[self.order]) / self.spacing[axis]

    def layer_memory(self, axis: int, speed: float, frequency: float) -> tuple[Floats, Floats]:
        """Coefficients `keep` and `share` (2, nodes) of a layer's memory, on nodes and half a spacing after each.

        With damping d and frequency shift a they are exp(-(d + a) dt) and d / (d + a) (exp(-(d + a) dt) - 1), see Komatitsch
        & Martin (2007), eqs. 25 and 31; d grows as a cube and a shrinks in proportion with depth in the layer.
        """
        (low, high), n = self.absorber.widths[axis], self.nodes[axis]
        place = np.arange(n) + np.array([[0.0], [0.5]])
        depth = np.zeros((2, n))
        damping = np.zeros((2, n))
        for width, inside in ((low, low - place), (high, place - (n - 1 - high))):
            if width:
                fraction = np.clip(inside / width, 0, 1)
                depth = np.maximum(depth, fraction)
                damping = np.maximum(damping, layer_damping(fraction, speed, width * self.spacing[axis]))
        shift = math.pi * frequency * (1 - depth)
        total = np.where(damping > 0, damping + shift, 1.0)
        keep = np.exp(-total * self.dt)
        return np.where(damping > 0, keep, 0.0), damping / total * (keep - 1)

    def contains(self, points: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether points (n, 3), m, are in the model."""
        last = (np.array(self.shape) - 1) * self.spacing
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.all(
            (points >= -1e-9 * last) & (points <= last * (1 + 1e-9)), axis=1
        )
        return found


def largest_time_step(spacing: Sequence[float], vp: float, order: int = 4) -> float:
    """Largest stable time step, s: 1 / (vp sqrt(sum over axes of (sum of |coefficients| / spacing)^2)).

    Parameters
    ----------
    spacing : (x, y, z)
        Spacing of nodes, m.
    vp : float
        Largest velocity of P waves, m/s.
    order : {4, 8}
        Order of accuracy in space.

    Examples
    --------
    >>> round(largest_time_step((10.0, 10.0, 10.0), 4000.0), 6)
    0.001237
    """
    reach = sum(abs(c) for c in STAGGERED[order])
    return float(1 / (vp * reach * math.sqrt(sum(1 / h**2 for h in spacing))))


def points_per_wavelength(spacing: Sequence[float], velocity: float, frequency: float) -> float:
    """Number of nodes in a wavelength along the axis of the largest spacing.

    Parameters
    ----------
    spacing : (x, y, z)
        Spacing of nodes, m.
    velocity : float
        Velocity, m/s: the smallest of S waves, and the smallest of P waves in water.
    frequency : float
        Frequency, Hz.

    Examples
    --------
    >>> points_per_wavelength((10.0, 10.0, 12.5), 1500.0, 12.0)
    10.0
    """
    return velocity / (frequency * max(spacing))
