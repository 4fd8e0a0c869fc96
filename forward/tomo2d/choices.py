"""A grid and a prior that suit some measurements, where the user gives none."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from vip.earth import KM_PER_DEGREE
from vip.errors import ConfigError
from vip.forward.tomo2d.measured import Measured
from vip.protocols import Floats

WIDER = 1.5
"""Logarithmic range of velocities over that of path averages, which hide what is smaller than a path."""
LEAST_RATIO = 1.5
"""Least ratio of the bounds of velocity."""
SHORT = 0.2
"""Extent of stations along the shorter axis over that along the longer one, at least, when nodes are counted."""
SPARE = 1.02
"""Extent of the grid over that of the stations, at least."""

HIGHEST = 80.0
"""Highest latitude at which cells are nearly square."""


class NodeGrid(NamedTuple):
    """Velocity nodes: their number, the first one and the steps, in degrees or km."""

    shape: tuple[int, int]
    origin: tuple[float, float]
    spacing: tuple[float, float]
    step: float
    """Distance between nodes, km."""


def grid_around(measured: Measured, nodes: tuple[int, int]) -> NodeGrid:
    """A grid around all stations, with about as many nodes as the best period has pairs, and cells that are nearly square.

    Parameters
    ----------
    measured : Measured
    nodes : (int, int)
        Smallest and largest number of rows or columns.

    Raises
    ------
    ConfigError
        If stations are near a pole, or longitudes jump by 360 degrees between them.
    """
    fewest, most = nodes
    places = measured.places[np.unique(np.concatenate([[*p.source, *p.receiver] for p in measured.periods.values()]))]
    low, high = places.min(axis=0), places.max(axis=0)
    if measured.geographic and high[1] - low[1] > 180:
        found = f"{low[1]:g} to {high[1]:g}"
        raise ConfigError("longitude", found, "stations are half the Earth apart: let none jump by 360 degrees")
    if measured.geographic and max(-low[0], high[0]) > HIGHEST:
        found = f"{low[0]:g} to {high[0]:g}"
        raise ConfigError("latitude", found, f"a grid in degrees needs latitudes within {HIGHEST:g}: use y and x in km")
    km = _km_per_unit(float((low[0] + high[0]) / 2)) if measured.geographic else np.ones(2)
    extent = (high - low) * km
    n_pairs = max(len({frozenset(pair) for pair in zip(p.source, p.receiver, strict=True)}) for p in measured.periods.values())
    area = np.prod(np.maximum(extent, SHORT * extent.max()))
    step = max(math.sqrt(area / np.clip(n_pairs, fewest**2, most**2)), SPARE * extent.max() / (most - 1))
    shape = np.clip(np.ceil(SPARE * extent / step).astype(int) + 1, fewest, most)
    spacing = step / km
    origin = (low + high) / 2 - (shape - 1) * spacing / 2
    return NodeGrid(_pair(shape), _pair(origin), _pair(spacing), step)


def bounds(velocities: Floats) -> tuple[float, float]:
    """Bounds of the velocity, km/s, for path averages (n,): their range, made wider since a path hides what is small."""
    middle = math.sqrt(float(velocities.min() * velocities.max()))
    ratio = max(LEAST_RATIO, float(velocities.max() / velocities.min()) ** WIDER)
    return float(f"{middle / math.sqrt(ratio):.3g}"), float(f"{middle * math.sqrt(ratio):.3g}")


def _pair(values: Any) -> tuple[Any, Any]:
    first, second = values.tolist()
    return first, second


def _km_per_unit(latitude: float) -> Floats:
    return KM_PER_DEGREE * np.array([1.0, math.cos(math.radians(latitude))])
