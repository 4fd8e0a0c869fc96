"""What an elastic earth is on the points of a staggered cell: buoyancies and moduli, from velocities and density on nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vip.kernels_c import door
from vip.kernels_c.door import Floats

LEAST_RATIO = 2 / np.sqrt(3)
"""Least vp / vs: at a smaller one, the bulk modulus is negative."""


class Earth(NamedTuple):
    """Velocities, m/s, and density, kg/m^3, on the nodes of a model (x, y, z)."""

    vp: Floats
    vs: Floats
    density: Floats


def checked(vp: ArrayLike, vs: ArrayLike, density: ArrayLike) -> Earth:
    """An earth that is one; the message of an error names the array and the node.

    Raises
    ------
    ValueError, TypeError
        If shapes differ, a value is NaN or negative, or vs is larger than vp sqrt(3) / 2, where there is no bulk modulus.
    """
    axes = ("x", "y", "z")
    found = door.real("vp", vp, ("x", "y", "z"), low=door.SMALLEST, unit="m/s", axes=axes)
    earth = Earth(
        found,
        door.real("vs", vs, found.shape, low=0.0, unit="m/s", axes=axes),
        door.real("density", density, found.shape, low=door.SMALLEST, unit="kg/m^3", axes=axes),
    )
    wrong = np.argwhere(earth.vs * LEAST_RATIO >= earth.vp)
    if len(wrong):
        x, y, z = map(int, wrong[0])
        s, p = earth.vs[x, y, z], earth.vp[x, y, z]
        raise ValueError(f"vs: x {x}, y {y}, z {z}: {s:g} m/s where vp is {p:g} m/s: must be less than vp / 1.155")
    return earth


def on_the_cell(earth: Earth, dt: float) -> Iterator[Floats]:
    """Parameters in the order of the kernel's fields, each times dt, one after the other: an earth is large.

    They are three buoyancies, lambda, 2 mu, and three rigidities, see elastic3d.h. Half a spacing after the last node they are
    those of the node.
    """
    for axis in range(3):
        yield dt * 2 / (earth.density + _next(earth.density, axis))
    mu = earth.density * earth.vs**2
    yield dt * (earth.density * earth.vp**2 - 2 * mu)
    yield dt * 2 * mu
    softness = 1 / np.where(mu > 0, mu, np.nan)
    del mu
    for first, second in ((0, 1), (0, 2), (1, 2)):
        beside = softness + _next(softness, first)
        yield dt * np.nan_to_num(4 / (beside + _next(beside, second)))


def _next(values: Floats, axis: int) -> Floats:
    """Values one node further along an axis, the last twice."""
    n = values.shape[axis]
    found: Floats = np.take(values, np.minimum(np.arange(1, n + 1), n - 1), axis=axis)
    return found
