"""The grid of the 3-D eikonal kernel: its metric, and straight distances and straight rays from a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.kernels_c.door import Floats, Ints

EARTH_RADIUS = 6371.0
"""Mean radius of the Earth, km."""

RAY_POINTS = 17
"""Number of points of the trapezoidal rule along the straight rays next to the source."""

ON_NODE = 1e-9
"""Distance, in steps, within which a source is on a node, or on the face of the grid if it lies beyond."""


class Metric(NamedTuple):
    """Distances between neighbours."""

    spacing: Floats
    """Smallest distance (3,) along each axis, km; along an axis of one node, the smallest of the others."""
    weight_x: float
    """Squared inverse distance along x, 1/km^2."""
    weight_y: Floats
    """Squared inverse distance (x,) along y, 1/km^2."""
    weight_z: Floats
    """Squared inverse distance (x, y) along z, 1/km^2."""


class Source(NamedTuple):
    """Tables that the scheme needs for one source, explained in eikonal3d.h."""

    slowness: float
    along_x: Floats
    along_y: Floats
    along_z: Floats
    first_fixed: Ints
    time_fixed: Floats


@dataclass(frozen=True)
class Grid:
    """Grid of nodes that carry velocity and travel times.

    Parameters
    ----------
    shape : (x, y, z)
        Number of nodes along the axes; an axis may have a single node.
    spacing : (x, y, z)
        Step from node to node, km, negative where the coordinate decreases. If spherical, depth in km, latitude and
        longitude in degrees.
    origin : (x, y, z)
        Coordinates of the first node, in the same units.
    geometry : {"cartesian", "spherical"}
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    geometry: str = "cartesian"

    def __post_init__(self) -> None:
        if self.geometry not in ("cartesian", "spherical"):
            raise ValueError(f"geometry: {self.geometry!r}: expected 'cartesian' or 'spherical'")
        for name, values in (("spacing", self.spacing), ("origin", self.origin)):
            if len(values) != 3 or not np.isfinite(values).all():
                raise ValueError(f"{name}: {values}: expected 3 finite numbers")
        if 0 in self.spacing:
            raise ValueError(f"spacing: {self.spacing}: must not be zero")
        if self.spherical:
            depth, latitude, longitude = self.axes
            if depth.max() >= EARTH_RADIUS:
                raise ValueError(f"spacing, origin: depths to {depth.max():g} km: must be less than {EARTH_RADIUS:g} km")
            if np.abs(latitude).max() >= 90:
                raise ValueError(f"spacing, origin: latitudes {latitude.min():g} to {latitude.max():g}: poles are excluded")
            if np.ptp(longitude) >= 360:
                raise ValueError(f"spacing, origin: longitudes over {np.ptp(longitude):g} degrees: must be less than 360")

    @property
    def spherical(self) -> bool:
        """Whether the axes are depth, latitude and longitude."""
        return self.geometry == "spherical"

    @property
    def axes(self) -> tuple[Floats, Floats, Floats]:
        """Coordinates of the nodes along each axis."""
        x, y, z = (a + np.arange(n, dtype=float) * d for a, n, d in zip(self.origin, self.shape, self.spacing, strict=True))
        return x, y, z

    @property
    def metric(self) -> Metric:
        """Distances between neighbours along the axes."""
        x, y, z = (np.abs(step) for step in self._steps(*self.axes[:2]))
        smallest = np.array([x, y.min(), z.min()])
        alone = np.array(self.shape) == 1
        smallest[alone] = 1.0 if alone.all() else smallest[~alone].min()
        return Metric(smallest, float(x**-2), y**-2, z**-2)

    def _steps(self, x: Floats, y: Floats) -> tuple[float, Floats, Floats]:
        """Distances (km) of neighbours along x, along y at each x, and along z at each x and y, signed as the spacing."""
        step_x, step_y, step_z = (float(d) for d in self.spacing)
        if not self.spherical:
            return step_x, np.full(len(x), step_y), np.full((len(x), len(y)), step_z)
        radius, step_y, step_z = EARTH_RADIUS - x, np.radians(step_y), np.radians(step_z)
        return step_x, radius * step_y, radius[:, None] * np.cos(np.radians(y)) * step_z

    def place(self, points: Floats) -> Floats:
        """Points (..., 3) in nodes from the first."""
        place: Floats = (np.asarray(points, float) - self.origin) / self.spacing
        return place

    def contains(self, points: Floats) -> NDArray[np.bool_]:
        """Whether points (n, 3) lie on the grid, faces included."""
        place = self.place(points)
        found: NDArray[np.bool_] = np.all((place >= -ON_NODE) & (place <= np.array(self.shape) - 1 + ON_NODE), axis=1)
        return found

    def distance(self, source: Floats) -> Floats:
        """Straight distance r (x, y, z) of all nodes from the source, km."""
        x, y, z = self._tables(np.asarray(source, float))
        aside = y[:, 0, None] + y[:, 1, None] * z[0]
        r: Floats = np.sqrt(x[:, 0, None, None] + x[:, 1, None, None] * aside)
        return r

    def source(self, velocity: Floats, at: Floats) -> Source:
        """Tables of one source (3,): distances, and the times on the nodes around it along straight rays."""
        place = np.clip(self.place(at), 0, np.array(self.shape) - 1)
        first, last = self._fixed_box(place, at)
        box = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(first, last, strict=True)), indexing="ij"), axis=-1)
        along = np.linspace(0, 1, RAY_POINTS)[:, None, None, None, None]
        mean = np.trapezoid(1 / interpolate(velocity, place + along * (box - place)), dx=1 / (RAY_POINTS - 1), axis=0)
        near = self.distance(at)[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))]
        slowness = 1 / float(interpolate(velocity, place))
        return Source(slowness, *self._tables(at), first.astype(np.int32), np.ascontiguousarray(near * mean))

    def _fixed_box(self, place: Floats, at: Floats) -> tuple[Ints, Ints]:
        """First and last of the fixed nodes: all that are nearer than twice the longest step along any axis."""
        step = np.abs([np.ravel(d)[0] for d in self._steps(at[:1], at[1:2])])
        longest = step[np.array(self.shape) > 1].max(initial=0)
        margin = np.maximum(np.ceil(2 * longest / step) - 1, 0)
        nearest = np.round(place)
        place = np.where(np.abs(place - nearest) < ON_NODE, nearest, place)
        first, last = np.floor(place) - margin, np.ceil(place) + margin
        return np.maximum(first, 0).astype(int), np.minimum(last, np.array(self.shape) - 1).astype(int)

    def _tables(self, at: Floats) -> tuple[Floats, Floats, Floats]:
        """Squared distance as X0 + X1 (Y0 + Y1 Z0) and half its derivatives by node: (x, 4), (y, 4), (2, z)."""
        x, y, z = self.axes
        if not self.spherical:
            (dx, dy, dz), (hx, hy, hz), one, zero = (x - at[0], y - at[1], z - at[2]), self.spacing, np.ones, np.zeros
            along_x = [dx**2, one(len(x)), hx * dx, zero(len(x))]
            along_y = [dy**2, one(len(y)), hy * dy, zero(len(y))]
            return np.stack(along_x, axis=1), np.stack(along_y, axis=1), np.stack([dz**2, hz * dz])
        # r^2 = (rho - rho_s)^2 + 4 rho rho_s hav, hav the haversine of the angle: no cancellation next to the source.
        radius, radius_source = EARTH_RADIUS - x, EARTH_RADIUS - at[0]
        height, step_x = radius - radius_source, -self.spacing[0]
        step_y, step_z = np.radians(self.spacing[1:])
        latitude, latitude_source, longitude = np.radians(y), np.radians(at[1]), np.radians(z - at[2])
        north = latitude - latitude_source
        along_x = [height**2, 4 * radius * radius_source, step_x * height, np.full(len(x), 2 * step_x * radius_source)]
        along_y = [
            np.sin(north / 2) ** 2,
            np.cos(latitude) * np.cos(latitude_source),
            step_y / 4 * np.sin(north),
            -step_y / 2 * np.sin(latitude) * np.cos(latitude_source),
        ]
        along_z = [np.sin(longitude / 2) ** 2, step_z / 4 * np.sin(longitude)]
        return np.stack(along_x, axis=1), np.stack(along_y, axis=1), np.stack(along_z)


def interpolate(values: Floats, place: Floats) -> Floats:
    """Trilinear values at places (..., 3) in nodes from the first."""
    last = np.array(values.shape) - 1
    cell = np.clip(np.floor(place).astype(int), 0, np.maximum(last - 1, 0))
    beyond = place - cell
    total = np.zeros(np.shape(place)[:-1])
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(corner, beyond, 1 - beyond).prod(axis=-1)
        total += weight * values[tuple(np.moveaxis(np.minimum(cell + corner, last), -1, 0))]
    return total
