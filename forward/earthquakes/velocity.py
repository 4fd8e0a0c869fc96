"""Velocity models: layers, and nodes of a grid in three dimensions. Depths are in km below sea level, velocities in km/s."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import interpn

from vip.errors import ConfigError
from vip.forward.earthquakes.projection import Projection
from vip.forward.tables import place
from vip.protocols import Floats

Interpolation = Literal["constant", "linear"]

SLOWEST = 0.01
"""Smallest velocity in the Earth, km/s: a tenth of that of S in the softest soils."""
FASTEST = 20.0
"""Largest velocity in the Earth, km/s."""
CENTRE = 6400.0
"""Depth of the Earth's centre, km."""
AXES = {True: ("latitude", "longitude", "depth"), False: ("y", "x", "depth")}
"""Names of the axes of a grid, by whether it is geographic."""


class Layered(NamedTuple):
    """Velocities that depend on depth alone. The first layer extends upwards with the velocity of its top."""

    tops: Floats
    """Tops (n,) of the layers, km below sea level, increasing; negative above it."""
    velocity: Mapping[str, Floats]
    """Velocities (n,) at the tops, km/s, by phase."""
    gradient: Mapping[str, Floats]
    """Gradients (n,) within the layers, km/s per km, by phase."""

    @property
    def phases(self) -> frozenset[str]:
        """Phases that have a velocity."""
        return frozenset(self.velocity)

    def at(self, phase: str, depths: Floats) -> Floats:
        """Velocities, km/s, in the shape of the depths, km. A top belongs to the layer below it."""
        layer = np.maximum(np.searchsorted(self.tops, depths, side="right") - 1, 0)
        into = np.maximum(depths - self.tops[layer], 0)
        return self.velocity[phase][layer] + self.gradient[phase][layer] * into

    def bounds(self, phase: str, top: float, bottom: float) -> tuple[float, float]:
        """Smallest and largest velocity, km/s, between two depths, km."""
        within = self.tops[(self.tops > top) & (self.tops < bottom)]
        ends = np.concatenate([[top, bottom], within, np.nextafter(within, -np.inf)])
        values = self.at(phase, ends)
        return float(values.min()), float(values.max())


class Grid3D(NamedTuple):
    """Velocities on nodes, linear between them."""

    axes: tuple[Floats, Floats, Floats]
    """Latitude and longitude in degrees, or y and x in km; and depth in km below sea level. Increasing."""
    velocity: Mapping[str, Floats]
    """Velocities (n_latitude or n_y, n_longitude or n_x, n_depth), km/s, by phase."""
    geographic: bool
    transform: str = ""
    """NonLinLoc's line that describes how x and y were made."""

    @property
    def phases(self) -> frozenset[str]:
        """Phases that have a velocity."""
        return frozenset(self.velocity)

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """Smallest and largest coordinates (3,), in the order of the axes."""
        return np.array([axis[0] for axis in self.axes]), np.array([axis[-1] for axis in self.axes])

    def contains(self, points: Floats) -> NDArray[np.bool_]:
        """Whether points (n, 3), in the order of the axes, are inside the grid."""
        first, last = self.ends
        points = self.in_turn(points)
        inside: NDArray[np.bool_] = np.all((points >= first) & (points <= last), axis=1)
        return inside

    def at(self, phase: str, points: Floats) -> Floats:
        """Velocities (n,), km/s, at points (n, 3) in the order of the axes; beyond the grid, those of its nearest nodes."""
        found: Floats = interpn(self.axes, self.velocity[phase], np.clip(self.in_turn(points), *self.ends))
        return found

    def bounds(self, phase: str) -> tuple[float, float]:
        """Smallest and largest velocity, km/s."""
        values = self.velocity[phase]
        return float(values.min()), float(values.max())

    def described(self, first: Floats, last: Floats) -> str:
        """Intervals (3,) of the axes, as text for a person to read."""
        named = zip(AXES[self.geographic], first, last, strict=True)
        return ", ".join(f"{name} {low:.6g} to {high:.6g}" for name, low, high in named)

    def from_map(self, x: Floats, y: Floats, depth: Floats, projection: Projection | None) -> Floats:
        """Points (n, 3), in the order of the axes, from places (n,) on the map, km."""
        first, second = projection.to_geographic(x, y) if self.geographic and projection is not None else (y, x)
        return np.stack([first, second, depth], axis=1)

    def in_turn(self, points: Floats) -> Floats:
        """Points (n, 3) with each longitude, of which -170 and 190 are one, that is nearest to the middle of the grid."""
        if not self.geographic:
            return points
        west, east = self.axes[1][0], self.axes[1][-1]
        turns = np.floor((points[:, 1] - (west + east) / 2 + 180) / 360)
        turned: Floats = points - 360 * turns[:, None] * [0, 1, 0]
        return turned


def checked_layers(table: pd.DataFrame, between: Interpolation, file: Path) -> Layered:
    """Layers from the columns depth, vp, vs and gradients of a file; rows are named by their lines.

    Raises
    ------
    ConfigError
        If there is a fault; the message names the file, line and column of the first one.
    """
    if table.empty:
        raise ConfigError("layers", "none", "at least one is needed", file)
    for column in table.columns.intersection(["vp", "vs"]):
        _check_column(table, column, file)
    _check_depths(table["depth"], between, file)
    if "vs" in table.columns:
        slow = table.index[table["vs"] >= table["vp"]]
        if len(slow):
            remedy = f"must be smaller than the velocity of P, {table.loc[slow[0], 'vp']:g}"
            raise ConfigError(place(slow[0], "vs"), float(table.loc[slow[0], "vs"]), remedy, file)
    return _layered(table, between)


def _check_column(table: pd.DataFrame, column: str, file: Path) -> None:
    wrong = table.index[~table[column].between(SLOWEST, FASTEST)]
    if len(wrong):
        value = float(table.loc[wrong[0], column])
        raise ConfigError(place(wrong[0], column), value, _velocity_remedy(value), file)


def _velocity_remedy(value: float) -> str:
    if 0 < value < SLOWEST:
        return f"must be at least {SLOWEST:g}; is it in km/s?"
    return "must be in km/s; is it in m/s?" if FASTEST < value < np.inf else "must be a positive number, km/s"


def _check_depths(depths: pd.Series, between: Interpolation, file: Path) -> None:
    deep = depths.index[depths > CENTRE]
    if len(deep):
        raise ConfigError(place(deep[0], "depth"), float(depths[deep[0]]), "must be in km below sea level; is it in m?", file)
    steps = np.diff(depths)
    wrong = np.flatnonzero(steps < 0 if between == "linear" else steps <= 0)
    if len(wrong):
        line, remedy = depths.index[wrong[0] + 1], "depths must increase from line to line"
        if steps[wrong[0]] == 0:
            remedy += "; leave out the layer without thickness, or say that velocities are linear between depths: they may jump"
        raise ConfigError(place(line, "depth"), float(depths[line]), remedy, file)


def _layered(table: pd.DataFrame, between: Interpolation) -> Layered:
    columns = {phase: column for phase, column in (("P", "vp"), ("S", "vs")) if column in table.columns}
    gradients = {
        phase: table[f"{column}_gradient"].to_numpy(float)
        for phase, column in columns.items()
        if f"{column}_gradient" in table.columns
    }
    given = any(gradient.any() for gradient in gradients.values())
    thickness = np.diff(table["depth"], append=np.inf)
    thick = thickness > 0  # a depth that stands twice is a layer without thickness
    velocity = {phase: table[column].to_numpy(float)[thick] for phase, column in columns.items()}
    if given:
        gradient = {phase: gradients[phase][thick] for phase in columns}
    elif between == "linear":
        steps = {phase: np.append(np.diff(table[column]), 0.0) for phase, column in columns.items()}
        gradient = {phase: step[thick] / thickness[thick] for phase, step in steps.items()}
    else:
        gradient = {phase: np.zeros(int(thick.sum())) for phase in columns}
    return Layered(table["depth"].to_numpy(float)[thick], velocity, gradient)


def checked_grid(
    axes: tuple[Floats, ...], velocity: Mapping[str, Floats], geographic: bool, files: Mapping[str, Path]
) -> Grid3D:
    """A grid whose axes increase and whose velocities are possible.

    Parameters
    ----------
    axes : (y or latitude, x or longitude, depth)
        Coordinates of the nodes, km or degrees.
    velocity : mapping of "P" or "S" to array
        Velocities at the nodes, km/s.
    files : mapping of "P" or "S" to path
        The files that faults name.

    Raises
    ------
    ConfigError
        If there is a fault; the message names the file and the node of the first one.
    """
    for name, axis in zip(AXES[geographic], axes, strict=True):
        file = next(iter(files.values()))
        if len(axis) < 2 or not (np.diff(axis) > 0).all():
            raise ConfigError(name, f"{len(axis)} nodes", "at least two, each once and finite, are needed", file)
    if axes[2][-1] > CENTRE:
        remedy = "must be in km below sea level; if it is in m, give it the units m"
        raise ConfigError("depth", float(axes[2][-1]), remedy, next(iter(files.values())))
    for phase, values in velocity.items():
        wrong = np.argwhere(~((values >= SLOWEST) & (values <= FASTEST)))
        if len(wrong):
            node = ", ".join(f"{name} {axis[i]:g}" for name, axis, i in zip(AXES[geographic], axes, wrong[0], strict=True))
            value = float(values[tuple(wrong[0])])
            raise ConfigError(f"velocity of {phase} at {node}", value, _velocity_remedy(value), files[phase])
    y, x, depth = axes
    return Grid3D((y, x, depth), {phase: np.ascontiguousarray(values) for phase, values in velocity.items()}, geographic)
