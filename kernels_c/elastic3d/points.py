"""Sources and receivers between nodes: shares of the field values around them, each component on its own lattice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vip.kernels_c import door
from vip.kernels_c.door import Floats
from vip.kernels_c.elastic3d.geometry import AXES, GHOST, Grid
from vip.kernels_c.staggered import windowed_sinc

TimeFunction = Callable[[Floats], ArrayLike] | ArrayLike

PAIRS = ((0, 1), (0, 2), (1, 2))
VELOCITIES = tuple(f"v{a}" for a in AXES)
STRAINS = ("exx", "eyy", "ezz", "exy", "exz", "eyz")
CHANNELS = ("pressure", *VELOCITIES, *STRAINS)
SHEAR_STRESS, LAMBDA, TWO_MU, RIGIDITY = 6, 12, 13, 14
"""Places of the first shear stress, of both moduli and of the first rigidity among the kernel's fields."""


@dataclass(frozen=True)
class MomentSource:
    """A moment tensor at a point.

    Parameters
    ----------
    position : (3,) float
        x, y, z, m.
    moment : (3, 3) float
        Symmetric tensor, N m, on the axes x, y, z.
    rate : callable or (n_steps,) array_like
        Moment rate over moment, 1/s: a function of times (n,) s, or its values at `Solver.times("moment")`.
    """

    position: ArrayLike
    moment: ArrayLike
    rate: TimeFunction


@dataclass(frozen=True)
class ForceSource:
    """A force at a point.

    Parameters
    ----------
    position : (3,) float
        x, y, z, m.
    force : (3,) float
        Force, N, along x, y and z.
    history : callable or (n_steps,) array_like
        What the force is multiplied by: a function of times (n,) s, or its values at `Solver.times("force")`.
    """

    position: ArrayLike
    force: ArrayLike
    history: TimeFunction


class Taps(NamedTuple):
    """Weights of field values, sorted by plane: entries start[i] to start[i + 1] are on plane i."""

    columns: int
    start: NDArray[np.int64]
    field: NDArray[np.int32]
    node: NDArray[np.int64]
    """Plane, row and node in the row (n, 3)."""
    column: NDArray[np.int32]
    weight: Floats


class Lattices:
    """The lattices of a grid's components, as the kernel orders its axes.

    Parameters
    ----------
    grid : Grid
    fields : (17, planes, rows, nodes) array
        Fields of the kernel, of which the moduli are read.
    """

    def __init__(self, grid: Grid, fields: NDArray[np.floating]) -> None:
        self.grid, self.fields = grid, fields
        self.axes = grid.axes
        self.place = tuple(grid.axes.index(a) for a in range(3))
        self.begin = [low for low, _ in grid.absorber.widths]
        self.volume = float(np.prod(grid.spacing))

    def shear(self, a: int, b: int) -> int:
        """Number, 0 to 2, of the pair of axes x, y, z (0, 1, 2) in the kernel's order."""
        first, second = sorted((self.place[a], self.place[b]))
        return PAIRS.index((first, second))

    def around(self, position: Floats, half: Sequence[int], above: str = "even") -> tuple[NDArray[np.int64], Floats]:
        """Nodes (n, 3) of the kernel around a position (m), and weights (n,), of values half a spacing further along some axes.

        Above a free surface values are those below it, "even" or "odd", or go on as a "parabola". Beyond walls they are zero.
        """
        nodes, weights = [], []
        for a in range(3):
            shift = 0.5 if a in half else 0.0
            near, weight = windowed_sinc(position[a] / self.grid.spacing[a] - shift + self.begin[a])
            if a == 2 and self.grid.absorber.free_surface:
                near, weight = _folded(near, weight, shift, above)
            inside = (near >= 0) & (near < self.grid.nodes[a])
            nodes.append(near[inside].astype(np.int64))
            weights.append(weight[inside])
        mesh = np.meshgrid(*nodes, indexing="ij")
        products = np.einsum("i,j,k->ijk", *weights).ravel()
        return np.stack([mesh[a].ravel() for a in self.axes], axis=1), products

    def velocity(self, axis: int, position: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Nodes and weights of a component of velocity."""
        surface = np.rint(position / self.grid.spacing).astype(np.int64) + self.begin
        surface[2] = 0
        solid = self.read(TWO_MU, surface[None, self.axes])[0] > 0
        return self.around(position, (axis,), "parabola" if solid else "even")

    def read(self, field: int, nodes: NDArray[np.int64]) -> Floats:
        """Values (n,) of a field on nodes (n, 3)."""
        found: Floats = self.fields[(field, *nodes.T)].astype(float)
        return found


def _folded(nodes: Floats, weights: Floats, shift: float, above: str) -> tuple[Floats, Floats]:
    """Nodes below a free surface that stand for those above it, and the weights of all."""
    outside = nodes < 0
    if above == "parabola":
        parts = [w * np.array(GHOST[int(-1 - n)]) for n, w in zip(nodes[outside], weights[outside], strict=True)]
        behind = np.tile(np.arange(3.0), len(parts))
        return np.concatenate([nodes[~outside], behind]), np.concatenate([weights[~outside], *parts])
    mirrored = np.where(outside, -nodes - 2 * shift, nodes)
    if above == "even":
        return mirrored, weights
    signed = np.where(outside, -weights, weights)
    return mirrored, np.where((mirrored == 0) & (shift == 0), 0.0, signed)


Entry = tuple[int, NDArray[np.int64], Floats]
"""A field, nodes (n, 3) and weights (n,)."""


def gathered(columns: Sequence[Iterator[Entry]], planes: int) -> Taps:
    """Taps of several sources or receivers, a column each."""
    fields, nodes, numbers, weights = [], [np.zeros((0, 3), np.int64)], [], []
    for column, entries in enumerate(columns):
        for field, node, weight in entries:
            fields.append(np.full(len(node), field, np.int32))
            nodes.append(node)
            numbers.append(np.full(len(node), column, np.int32))
            weights.append(weight)
    node = np.concatenate(nodes)
    order = np.argsort(node[:, 0], kind="stable")
    start = np.searchsorted(node[order, 0], np.arange(planes + 1)).astype(np.int64)
    together = (np.concatenate(found)[order] if found else np.zeros(0) for found in (fields, numbers, weights))
    field_, column_, weight_ = together
    return Taps(len(columns), start, field_.astype(np.int32), node[order], column_.astype(np.int32), weight_.astype(float))


def force_entries(lattices: Lattices, source: ForceSource, dt: float) -> Iterator[Entry]:
    """Shares of a force in velocities: times the buoyancy there, over the volume of a node."""
    position = np.asarray(source.position, float)
    for a, component in enumerate(np.asarray(source.force, float)):
        if component:
            nodes, weights = lattices.velocity(a, position)
            buoyancy = lattices.read(9 + lattices.place[a], nodes)
            yield lattices.place[a], nodes, weights * component * buoyancy / lattices.volume


def moment_entries(lattices: Lattices, source: MomentSource, dt: float) -> Iterator[Entry]:
    """Shares of a moment rate in stresses. Water takes their isotropic part alone: it has no other stress."""
    position, moment = np.asarray(source.position, float), np.asarray(source.moment, float)
    mean = np.trace(moment) / 3
    for a in range(3):
        nodes, weights = lattices.around(position, (), "odd" if a == 2 else "even")
        share = np.where(lattices.read(TWO_MU, nodes) > 0, moment[a, a], mean)
        yield 3 + lattices.place[a], nodes, -dt / lattices.volume * weights * share
    for a, b in PAIRS:
        if moment[a, b]:
            pair = lattices.shear(a, b)
            nodes, weights = lattices.around(position, (a, b), "odd" if b == 2 else "even")
            solid = lattices.read(RIGIDITY + pair, nodes) > 0
            yield SHEAR_STRESS + pair, nodes[solid], -dt / lattices.volume * moment[a, b] * weights[solid]


def receiver_entries(lattices: Lattices, position: Floats, channel: str, dt: float) -> Iterator[Entry]:
    """Shares of fields in a channel."""
    if channel == "pressure":
        for a in range(3):
            nodes, weights = lattices.around(position, (), "odd" if a == 2 else "even")
            yield 3 + lattices.place[a], nodes, -weights / 3
    elif channel in VELOCITIES:
        a = VELOCITIES.index(channel)
        yield lattices.place[a], *lattices.velocity(a, position)
    else:
        yield from _strain(lattices, position, channel, dt)


def _strain(lattices: Lattices, position: Floats, channel: str, dt: float) -> Iterator[Entry]:
    """Strain from stress: the mean over 3 kappa, the rest over 2 mu, and no rest in water."""
    a, b = AXES.index(channel[1]), AXES.index(channel[2])
    if a != b:
        pair = lattices.shear(a, b)
        nodes, weights = lattices.around(position, (a, b), "odd" if b == 2 else "even")
        rigidity = lattices.read(RIGIDITY + pair, nodes)
        solid = rigidity > 0
        yield SHEAR_STRESS + pair, nodes[solid], dt * weights[solid] / (2 * rigidity[solid])
        return
    for c in range(3):
        nodes, weights = lattices.around(position, (), "odd" if c == 2 else "even")
        two_mu = lattices.read(TWO_MU, nodes)
        softness = dt / np.where(two_mu > 0, two_mu, np.inf)
        mean = dt / (3 * (3 * lattices.read(LAMBDA, nodes) + two_mu))
        yield 3 + lattices.place[c], nodes, weights * (mean - softness / 3 + (softness if c == a else 0))


def amplitudes(name: str, function: TimeFunction, times: Floats) -> Floats:
    """Values (n_steps,) of a time function.

    Raises
    ------
    ValueError, TypeError
        If it has another number of values, or one of them is not finite.
    """
    values = function(times) if callable(function) else function
    return door.real(name, values, (len(times),))
