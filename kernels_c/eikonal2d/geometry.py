"""The grid of the eikonal kernel, and the tables of distances that its scheme needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.kernels_c.door import Floats, Ints

EARTH_RADIUS = 6371.0
"""Mean radius of the Earth, km."""

FIXED_MARGIN = 1
"""Number of cells around the source's own cell on whose nodes times are distance times mean slowness."""

MAX_ELONGATION = float(np.sqrt(2 * FIXED_MARGIN + 3))
"""Largest ratio of a cell's sides for which the update is causal next to the fixed nodes (property 1 of eikonal2d.h)."""


@dataclass(frozen=True)
class Grid:
    """Velocity nodes on a regular grid, and the refined grid on which travel times are computed.

    Parameters
    ----------
    shape : (rows, columns)
        Number of velocity nodes, at least 2 x 2.
    origin : (row, column)
        Coordinates of the first node: latitude and longitude in degrees if spherical, else y and x in km.
    spacing : (row, column)
        Step between nodes in the same units; negative where the coordinate decreases.
    spherical : bool
        Whether coordinates are latitude and longitude on a sphere of radius `EARTH_RADIUS`.
    refinement : int
        Number of refined cells per velocity cell along an axis; the velocity between nodes is bilinear.
    """

    shape: tuple[int, int]
    origin: tuple[float, float]
    spacing: tuple[float, float]
    spherical: bool
    refinement: int = 2

    def __post_init__(self) -> None:
        if min(self.shape) < 2:
            raise ValueError(f"shape: {self.shape}: a grid needs at least 2 x 2 nodes")
        if 0 in self.spacing:
            raise ValueError(f"spacing: {self.spacing}: must not be zero")
        if self.refinement < 1 or int(self.refinement) != self.refinement:
            raise ValueError(f"refinement: {self.refinement}: must be a whole number, at least 1")
        x, y = self.spacing_km
        elongation = max(x.max() / y, y / x.min())
        if elongation > MAX_ELONGATION:
            raise ValueError(
                f"spacing: {self.spacing}: cells are {x.min():.3g} to {x.max():.3g} km wide and {y:.3g} km high; "
                f"one side must not exceed the other more than {MAX_ELONGATION:.3g} times"
            )

    @property
    def refined_shape(self) -> tuple[int, int]:
        """Number of rows and columns of the refined grid."""
        return tuple((n - 1) * self.refinement + 1 for n in self.shape)  # type: ignore[return-value]

    @property
    def bordered_shape(self) -> tuple[int, int]:
        """Number of rows and columns of the refined grid with a border of one node."""
        rows, columns = self.refined_shape
        return rows + 2, columns + 2

    @cached_property
    def bordered_axes(self) -> tuple[Floats, Floats]:
        """Row and column coordinates of the bordered refined grid."""
        axes = [
            first + np.arange(-1, n - 1) * step / self.refinement
            for first, step, n in zip(self.origin, self.spacing, self.bordered_shape, strict=True)
        ]
        return axes[0], axes[1]

    @property
    def spacing_km(self) -> tuple[Floats, float]:
        """Distance (km) between columns on each bordered row, and between rows."""
        step_row, step_column = (abs(step) / self.refinement for step in self.spacing)
        rows = self.bordered_axes[0]
        if not self.spherical:
            return np.full(len(rows), step_column), step_row
        return EARTH_RADIUS * np.cos(np.radians(rows)) * np.radians(step_column), EARTH_RADIUS * np.radians(step_row)

    def contains(self, points: Floats) -> NDArray[np.bool_]:
        """Whether points (n, 2) lie on the grid, edges included."""
        place = self.place(points)
        last = np.array(self.refined_shape) - 1
        found: NDArray[np.bool_] = np.all((place >= -1e-9) & (place <= last + 1e-9), axis=1)
        return found

    def place(self, points: Floats) -> Floats:
        """Row and column (..., 2) of points (..., 2) in refined cells from the first node."""
        step = np.array(self.spacing) / self.refinement
        place: Floats = (np.asarray(points, float) - np.array(self.origin)) / step
        return place

    def cell(self, points: Floats) -> tuple[Ints, Floats]:
        """Nodes (n, 4) of the refined cells that hold points (n, 2), as indices of the bordered grid, and bilinear weights."""
        place = self.place(points)
        first = np.clip(np.floor(place), 0, np.array(self.refined_shape) - 2).astype(np.int32)
        v, u = (place - first).T
        node = (first[:, 0] + 1) * self.bordered_shape[1] + first[:, 1] + 1
        stride = self.bordered_shape[1]
        nodes = np.stack([node, node + 1, node + stride, node + stride + 1], axis=1)
        weights = np.stack([(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u], axis=1)
        return nodes.astype(np.int32), weights

    def distance(self, a: Floats, b: Floats) -> Floats:
        """Distance (km) between points (..., 2): great circle if spherical, else straight."""
        a, b = np.asarray(a, float), np.asarray(b, float)
        if not self.spherical:
            return np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1])
        lat_a, lon_a, lat_b, lon_b = (np.radians(x) for x in (a[..., 0], a[..., 1], b[..., 0], b[..., 1]))
        haversine = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2
        arc: Floats = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(haversine))
        return arc

    def distance_and_direction(self, source: Floats) -> tuple[Floats, Floats, Floats]:
        """Distance (km) from the source to every bordered node, and its derivatives per km down the rows and columns."""
        rows, columns = np.meshgrid(*self.bordered_axes, indexing="ij")
        r = self.distance(np.stack([rows, columns], axis=-1), source)
        if self.spherical:
            lat, lat0, lon = np.radians(rows), np.radians(source[0]), np.radians(columns - source[1])
            sine = np.maximum(np.sin(r / EARTH_RADIUS), 1e-12)
            by_row = (np.sin(lat) * np.cos(lat0) * np.cos(lon) - np.cos(lat) * np.sin(lat0)) / sine
            by_column = np.cos(lat0) * np.sin(lon) / sine
        else:
            by_row, by_column = ((x - x0) / np.maximum(r, 1e-12) for x, x0 in zip((rows, columns), source, strict=True))
        return r, by_row * np.sign(self.spacing[0]), by_column * np.sign(self.spacing[1])


class SourceTables(NamedTuple):
    """Tables that the scheme needs for one source; nodes are indices of the bordered grid."""

    order: Ints
    """Nodes by increasing distance, without the fixed ones."""
    rank: Ints
    """Place of each node in `order`; its length for nodes that are not there."""
    corrections: Floats
    """Corrections (nodes, 12): e of the four axis neighbours (km), f of the eight triangles times their edge's length (km)."""
    fixed_node: Ints
    fixed_distance: Floats


def source_tables(grid: Grid, source: Floats) -> SourceTables:
    """Order of the nodes and truncation errors e and f of eikonal2d.h for one source (2,)."""
    r, by_row, by_column = grid.distance_and_direction(source)
    x, y = grid.spacing_km
    fixed = _fixed_nodes(grid, source)
    free = np.zeros(grid.bordered_shape, bool)
    free[1:-1, 1:-1] = True
    free &= ~fixed
    free_nodes = np.flatnonzero(free)
    order = free_nodes[np.argsort(r.ravel()[free_nodes], kind="stable")]
    rank = np.full(r.size, len(order))
    rank[order] = np.arange(len(order))
    corrections = _corrections(r, by_row, by_column, x[:, None], y)
    corrections[~free] = 0
    nodes = np.flatnonzero(fixed)
    return SourceTables(
        order.astype(np.int32),
        rank.astype(np.int32),
        corrections.reshape(-1, 12),
        nodes.astype(np.int32),
        r.ravel()[nodes],
    )


def _fixed_nodes(grid: Grid, source: Floats) -> NDArray[np.bool_]:
    stride = grid.bordered_shape[1]
    row, column = divmod(int(grid.cell(np.asarray(source, float)[None])[0][0, 0]), stride)
    fixed = np.zeros(grid.bordered_shape, bool)
    low_row, low_column = max(row - FIXED_MARGIN, 1), max(column - FIXED_MARGIN, 1)
    fixed[low_row : row + 2 + FIXED_MARGIN, low_column : column + 2 + FIXED_MARGIN] = True
    fixed[-1], fixed[:, -1] = False, False
    return fixed


def _corrections(r: Floats, by_row: Floats, by_column: Floats, x: Floats, y: float) -> Floats:
    """Corrections e and f of eikonal2d.h: the schemes' differences of r against its derivatives, only towards the source."""
    found = np.zeros((*r.shape, 12))
    inner = found[1:-1, 1:-1]  # nodes on the border have none
    here, x, by_row, by_column = r[1:-1, 1:-1], x[1:-1], by_row[1:-1, 1:-1], by_column[1:-1, 1:-1]

    def neighbour(row: int, column: int) -> Floats:
        return r[1 + row : r.shape[0] - 1 + row, 1 + column : r.shape[1] - 1 + column]

    for n, (row, column) in enumerate([(0, -1), (0, 1), (-1, 0), (1, 0)]):
        r_axis = neighbour(row, column)
        towards = r_axis < here
        along, across = (by_column, by_row) if column else (by_row, by_column)
        height, edge = (x, y) if column else (y, x)
        inner[..., n] = towards * (-(row + column) * height * along - (here - r_axis))
        slope = edge * across
        for m, side in enumerate((-1, 1)):
            r_diagonal = neighbour(row or side, column or side)
            inner[..., 4 + 2 * n + m] = towards * (-side * slope - (r_axis - r_diagonal))
    return found
