"""Grid, difference stencils, absorbing layers and points between nodes, for `acoustic2d`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.kernels_c import staggered
from vip.kernels_c.door import Floats

ORDERS = (2, 4, 6, 8)
STENCILS = {
    2: (-2.0, 1.0),
    4: (-5 / 2, 4 / 3, -1 / 12),
    6: (-49 / 18, 3 / 2, -3 / 20, 1 / 90),
    8: (-205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560),
}
"""Coefficients of the second derivative at distances 0, 1, ..., by order (Fornberg 1988, table 1)."""
STAGGERED = {order: (*staggered.STAGGERED[2], 0.0) if order < 6 else staggered.STAGGERED[4] for order in ORDERS}
"""Coefficients of the first derivative half way between nodes, in layers, of 2nd or 4th order.

A layer takes from the stencil's second derivative up to the whole of that of two of these. At no wavenumber may the latter be
the larger, or waves grow: the second derivatives of 2nd and 4th order are too small for a first derivative of 4th.
"""

THINNEST_LAYER = 4
"""Least width of layers, nodes: points between nodes are sums over nodes up to this far away, which must exist."""


@dataclass(frozen=True)
class Grid:
    """Grid of the acoustic kernel: nodes in space and time.

    Parameters
    ----------
    shape : (int, int)
        Number of rows (depth) and columns of the velocity.
    spacing : (float, float)
        Spacing of rows and columns, m. The first node is at depth 0, distance 0.
    dt : float
        Time step, s.
    n_steps : int
        Number of samples of wavelets and traces.
    order : {2, 4, 6, 8}
        Order of accuracy in space.
    layer : int
        Width of the absorbing layers around the model, nodes, at least 4.
    free_surface : bool
        Whether the first row is a free surface; else a layer is above it.
    layer_speed : float
        Velocity, m/s, for which the layers damp best; the fastest expected.
    known_rows : int
        Number of rows from the top whose velocity is known (water): their gradient is zero, and costs nothing.

    Raises
    ------
    ValueError
        If an argument cannot be used; the message names it.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float]
    dt: float
    n_steps: int
    order: int = 8
    layer: int = 10
    free_surface: bool = False
    layer_speed: float = 3000.0
    known_rows: int = 0

    def __post_init__(self) -> None:
        integers: tuple[tuple[str, tuple[int, ...]], ...] = (
            ("shape", self.shape),
            ("layer", (self.layer,)),
            ("n_steps", (self.n_steps,)),
            ("known_rows", (self.known_rows,)),
        )
        for name, values in integers:
            if not all(isinstance(value, (int, np.integer)) for value in values):
                raise ValueError(f"{name}: {getattr(self, name)}: expected whole numbers")
        if len(self.shape) != 2 or len(self.spacing) != 2:
            raise ValueError(f"shape, spacing: {self.shape}, {self.spacing}: expected two numbers each")
        if min(self.shape) < 2:
            raise ValueError(f"shape: {self.shape}: expected at least 2 rows and 2 columns")
        reals: tuple[tuple[str, tuple[float, ...]], ...] = (
            ("spacing", self.spacing),
            ("dt", (self.dt,)),
            ("layer_speed", (self.layer_speed,)),
        )
        for name, numbers in reals:
            for value in numbers:
                if not (math.isfinite(value) and value > 0):
                    raise ValueError(f"{name}: {value}: expected a positive number")
        if self.order not in ORDERS:
            raise ValueError(f"order: {self.order}: expected one of {ORDERS}")
        if self.layer < THINNEST_LAYER:
            raise ValueError(f"layer: {self.layer}: expected at least {THINNEST_LAYER} nodes")
        if not 0 <= self.known_rows < self.shape[0]:
            raise ValueError(f"known_rows: {self.known_rows}: expected 0 to {self.shape[0] - 1}")
        if self.n_steps < 1:
            raise ValueError(f"n_steps: {self.n_steps}: expected at least 1")

    @property
    def top(self) -> int:
        """Number of rows of the layer above the model."""
        return 0 if self.free_surface else self.layer

    @property
    def stencils(self) -> tuple[Floats, Floats]:
        """Coefficients of the second derivative in depth and across, 1/m^2, from the centre outwards."""
        stencil = np.array(STENCILS[self.order])
        return stencil / self.spacing[0] ** 2, stencil / self.spacing[1] ** 2

    @property
    def staggered(self) -> tuple[Floats, Floats]:
        """Coefficients of the first derivative half way between nodes, in depth and across, 1/m."""
        stencil = np.array(STAGGERED[self.order])
        return stencil / self.spacing[0], stencil / self.spacing[1]

    @property
    def damping(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Values of d dt / 2 at rows and columns with layers, and of the points half a spacing further (0 at the last)."""
        rows = _damping(self.shape[0], self.top, self.layer, self.spacing[0], self.dt, self.layer_speed)
        columns = _damping(self.shape[1], self.layer, self.layer, self.spacing[1], self.dt, self.layer_speed)
        return rows[0], columns[0], rows[1], columns[1]

    def largest_time_step(self, velocity: float) -> float:
        """Largest stable `dt` (s) for a velocity (m/s): 2 / sqrt of the largest eigenvalue of v^2 (d_xx + d_zz).

        Examples
        --------
        >>> round(Grid((2, 2), (20.0, 20.0), 0.002, 1).largest_time_step(5000.0), 5)
        0.00222
        """
        eigenvalue = sum(np.abs(s[0]) + 2 * np.abs(s[1:]).sum() for s in self.stencils)
        return float(2 / (velocity * math.sqrt(eigenvalue)))

    def phase_velocity_error(self, frequency: float, velocity: float) -> float:
        """Relative error of the phase velocity, from steps in space and time together, along the axis where it is largest.

        The error is infinite where the grid cannot carry a wave of this frequency (Hz) at this velocity (m/s).

        Examples
        --------
        >>> f"{Grid((2, 2), (20.0, 20.0), 1e-4, 1).phase_velocity_error(1500 / (6 * 20), 1500.0):.1e}"
        '-1.8e-04'
        """
        errors = [self._axis_error(frequency, velocity, *axis) for axis in zip(self.stencils, self.spacing, strict=True)]
        return max(errors, key=abs)

    def _axis_error(self, frequency: float, velocity: float, stencil: Floats, spacing: float) -> float:
        # The wavenumber k solves (2 / dt sin(omega dt / 2))^2 = -v^2 (stencil's symbol at k), which falls on [0, pi / h].
        if frequency * self.dt >= 0.5:
            return math.inf
        target = (2 / (velocity * self.dt) * math.sin(math.pi * frequency * self.dt)) ** 2
        distances = spacing * np.arange(1, len(stencil))

        def symbol(k: float) -> float:
            return float(-stencil[0] - 2 * (stencil[1:] * np.cos(k * distances)).sum())

        low, high = 0.0, math.pi / spacing
        if symbol(high) <= target:
            return math.inf
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if symbol(middle) < target else (low, middle)
        return 2 * math.pi * frequency / (velocity * low) - 1

    def contains(self, points: Floats) -> NDArray[np.bool_]:
        """Whether points (n, 2), depth and distance in m, are in the model."""
        last = (np.array(self.shape) - 1) * self.spacing
        found: NDArray[np.bool_] = np.all((points >= -1e-9 * last) & (points <= last * (1 + 1e-9)), axis=1)
        return found


class Points(NamedTuple):
    """Points between nodes: point k is the weighted sum over entries start[k] to start[k + 1]."""

    start: NDArray[np.int32]
    row: NDArray[np.int32]
    column: NDArray[np.int32]
    weight: Floats

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.start) - 1


def points_between(grid: Grid, points: Floats) -> Points:
    """Weights of nodes for points (n, 2), depth and distance in m: a sinc in a Kaiser window (Hicks 2002, eqs. 4-6).

    Rows and columns count the absorbing layers. Above a free surface waves are odd, and so are the weights.
    """
    entries = [_entries(grid, point) for point in points]
    start = np.concatenate([[0], np.cumsum([len(e) for e in entries])]).astype(np.int32)
    rows, columns, weights = np.concatenate(entries).T
    return Points(start, rows.astype(np.int32), columns.astype(np.int32), np.ascontiguousarray(weights))


def _entries(grid: Grid, point: Floats) -> Floats:
    """Row, column and weight (m, 3) of one point."""
    rows, by_row = staggered.windowed_sinc(point[0] / grid.spacing[0])
    columns, by_column = staggered.windowed_sinc(point[1] / grid.spacing[1])
    if grid.free_surface:
        by_row, rows = np.where(rows < 0, -by_row, by_row), np.abs(rows)
    row, column = np.meshgrid(rows + grid.top, columns + grid.layer, indexing="ij")
    return np.stack([row.ravel(), column.ravel(), np.outer(by_row, by_column).ravel()], axis=1)


def _damping(n: int, before: int, after: int, spacing: float, dt: float, speed: float) -> tuple[Floats, Floats]:
    """Values of d dt / 2 at n nodes between layers, and half a spacing after each (0 after the last)."""
    place = np.arange(2 * (before + n + after)) / 2
    depth = np.maximum((before - place) / max(before, 1), (place - (before + n - 1)) / after)
    profile = staggered.layer_damping(depth, speed, after * spacing) * dt / 2
    profile[-1] = 0
    return np.ascontiguousarray(profile[::2]), np.ascontiguousarray(profile[1::2])
