"""The interpolation of timetables.h in plain NumPy: slow, written to be read and to hold the native kernel to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vip.kernels_c.door import Floats
from vip.kernels_c.timetables.splines import coefficients


class TimeTables:
    """Twin of the native `TimeTables`, which has the same arguments and checks them."""

    def __init__(self, slowness: ArrayLike, places: ArrayLike, origin: ArrayLike, spacing: ArrayLike) -> None:
        self.places = np.asarray(places, float)
        self.origin, self.spacing = np.asarray(origin, float), np.asarray(spacing, float)
        self.coefficients = [coefficients(table[None], table.ndim == 2)[0] for table in np.asarray(slowness, float)]

    def evaluate(self, hypocentres: ArrayLike, event: ArrayLike, table: ArrayLike, threads: int = 1) -> tuple[Floats, Floats]:
        """Times (n_particles, n_picks) and gradients (3, n_particles, n_picks)."""
        x, picks = np.asarray(hypocentres, float), list(zip(np.asarray(event), np.asarray(table), strict=True))
        found = [[self._one(particle[e], t) for e, t in picks] for particle in x]
        result = np.array(found)
        return result[..., 0], np.moveaxis(result[..., 1:], -1, 0)

    def _one(self, hypocentre: Floats, table: int) -> Floats:
        """Time and gradient (4,) of one hypocentre."""
        apart = hypocentre - self.places[table]
        distance, across = np.linalg.norm(apart), np.hypot(apart[0], apart[1])
        if distance == 0:
            return np.zeros(4)
        layered = len(self.origin) == 2
        at = np.array([across, hypocentre[2]]) if layered else hypocentre
        m, by_axis = self._spline(self.coefficients[table], (at - self.origin) / self.spacing)
        by_axis = by_axis / self.spacing
        if layered:
            outwards = apart[:2] / across if across > 0 else np.zeros(2)
            by_axis = np.append(by_axis[0] * outwards, by_axis[1])
        return np.append(distance * m, m * apart / distance + distance * by_axis)

    @staticmethod
    def _spline(c: Floats, u: Floats) -> tuple[float, Floats]:
        """Value and derivatives by u at u, in nodes."""
        cell = np.minimum(u.astype(int), np.array(c.shape) - 5)
        around = c[tuple(slice(i, i + 4) for i in cell)]
        value, slope = zip(*(basis(f) for f in u - cell), strict=True)
        derivatives = [_along([slope[k] if k == axis else value[k] for k in range(len(u))], around) for axis in range(len(u))]
        return _along(value, around), np.array(derivatives)


def basis(f: float) -> tuple[Floats, Floats]:
    """The four B-splines that are not zero at the fraction f of the way between two nodes, and their derivatives."""
    values = np.array([(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3]) / 6
    return values, np.array([-3 * (1 - f) ** 2, 9 * f**2 - 12 * f, -9 * f**2 + 6 * f + 3, 3 * f**2]) / 6


def _along(weights: Any, around: Floats) -> float:
    for weight in weights:
        around = np.tensordot(weight, around, 1)
    return float(around)
