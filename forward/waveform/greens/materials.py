"""Strains of which some jump where the earth does, from quantities that do not.

Across a level interface tractions and strains along it are continuous. A table keeps these: e_xx, e_yy, e_xy, and

    q_zz = (e_zz + a (e_xx + e_yy)) / b,   q_yz = e_yz / s_yz,   q_xz = e_xz / s_xz,

with factors a = lambda / (lambda + 2 mu), b = K / (lambda + 2 mu) and s = G / mu: tractions over the constants K and G. Factors
are those of the nodes of the earth, and between nodes linear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.waveform.greens.plan import Plan
from vip.kernels_c.elastic3d import materials
from vip.kernels_c.staggered import windowed_sinc
from vip.protocols import Floats

LEAST = 0.25
"""Least s of a node, in G / mu there: the weights with which the solver takes shear strains are not all positive."""


class Materials(NamedTuple):
    """The factors a, b, s_yz and s_xz on the nodes of the earth.

    Attributes
    ----------
    factors : (x, y, z, 4) float32
        Along an axis on which nothing depends, there is one node.
    origin, spacing : (3,) float
        First node, and distance of the nodes, m.
    """

    factors: NDArray[np.float32]
    origin: Floats
    spacing: Floats

    def at(self, positions: Floats) -> tuple[Floats, Floats]:
        """Factors (n, 4), and their slopes (n, 4, 3), 1/m, at positions (n, 3), m."""
        last = np.array(self.factors.shape[:3]) - 1
        place = np.clip((positions - self.origin) / self.spacing, 0, last)
        cell = np.minimum(place.astype(int), np.maximum(last - 1, 0))
        beyond = place - cell
        value, slope = np.zeros((len(positions), 4)), np.zeros((len(positions), 4, 3))
        for corner in np.ndindex(2, 2, 2):
            sign = np.where(corner, 1.0, -1.0)
            weight = np.where(corner, beyond, 1 - beyond)
            here = self.factors[tuple(np.minimum(cell + corner, last).T)].astype(float)
            value += weight.prod(axis=1)[:, None] * here
            for axis in range(3):
                others = np.delete(weight, axis, axis=1).prod(axis=1) * sign[axis] / self.spacing[axis]
                slope[:, :, axis] += others[:, None] * here
        return value, slope

    def within(self, box: Floats) -> Materials:
        """The nodes that a box needs."""
        last = np.array(self.factors.shape[:3]) - 1
        low = np.clip(np.floor((box[:, 0] - self.origin) / self.spacing).astype(int), 0, last)
        high = np.clip(np.ceil((box[:, 1] - self.origin) / self.spacing).astype(int), 0, last)
        cut = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
        return self._replace(factors=self.factors[cut], origin=self.origin + low * self.spacing)


def materials_of(plan: Plan) -> Materials:
    """Factors where a plan needs them."""
    e = plan.earth
    vp, vs, density = (values.astype(float) for values in (e.vp, e.vs, e.density))
    stiff, mu = density * vp**2, density * vs**2
    largest_mu = float(mu.max()) or 1.0
    softness = np.divide(largest_mu, mu, out=np.zeros_like(mu), where=mu > 0)
    *_, along_xz, along_yz = materials.on_the_cell(materials.Earth(vp, vs, density), 1.0)
    factors = np.stack(
        [
            1 - 2 * mu / stiff,
            float(stiff.max()) / stiff,
            *(
                np.where(mu > 0, np.maximum(largest_mu * _on_nodes(rigidity, axes), LEAST * softness), 0)
                for rigidity, axes in ((along_yz, (1, 2)), (along_xz, (0, 2)))
            ),
        ],
        axis=-1,
    ).astype(np.float32)
    cut = tuple(slice(at, at + cells * plan.every + 1) for at, cells in plan.nodes)
    origin = e.origin + np.array([at for at, _ in plan.nodes]) * e.spacing
    factors = factors[cut]
    for axis in range(3):
        first = np.take(factors, [0], axis=axis)
        factors = first if (factors == first).all() else factors
    return Materials(np.ascontiguousarray(factors), origin, e.spacing)


def _on_nodes(rigidity: Floats, axes: tuple[int, int]) -> Floats:
    """Softness on nodes, with the weights with which the solver takes shear strains from points half way between them."""
    solid = rigidity > 0
    found = np.divide(1, rigidity, out=np.zeros_like(rigidity), where=solid)
    offsets, weights = windowed_sinc(-0.5)
    for axis in axes:
        n = found.shape[axis]
        near = (np.clip(np.arange(n) + int(offset), 0, n - 1) for offset in offsets)
        found = np.asarray(sum(w * np.take(found, at, axis=axis) for w, at in zip(weights, near, strict=True)))
    return found


def smooth(strains: Floats, factors: Floats) -> Floats:
    """Continuous quantities (n, 6, ...) from strains (n, 6, ...), with factors (n, 4)."""
    a, b, s_yz, s_xz = (factors[:, i].reshape(-1, *[1] * (strains.ndim - 2)) for i in range(4))
    made = strains.copy()
    made[:, 2] = (strains[:, 2] + a * (strains[:, 0] + strains[:, 1])) / b
    for component, s in ((3, s_yz), (4, s_xz)):
        made[:, component] *= np.divide(1, s, out=np.zeros_like(s), where=s > 0)
    return made
