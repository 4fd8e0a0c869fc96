"""The region of hypocentres: a box on the map, from the settings or around the stations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from vip.errors import ConfigError
from vip.forward.earthquakes.network import Network
from vip.forward.earthquakes.projection import Projection
from vip.forward.earthquakes.traveltimes.tables import Box
from vip.forward.earthquakes.velocity import AXES, Grid3D, Layered
from vip.protocols import Floats
from vip.settings import Finite, Settings

Interval = tuple[Finite, Finite]

log = logging.getLogger(__name__)

BEYOND = 0.5
"""Distance by which a region that is not given reaches beyond the stations, over their extent."""
ALONG = np.linspace(0, 1, 21)
"""Number of places on each side of a border."""
DEEPEST = 1000.0
"""Largest depth, km; earthquakes are not deeper than 750 km."""
WIDEST = 2000.0
"""Largest margin, km: more is in m."""


class RegionSettings(Settings):
    """Region of hypocentres; the prior is uniform in it unless another is given.

    Attributes
    ----------
    depth : (top, bottom)
        Depths, km below sea level.
    latitude, longitude, y, x : (from, to), optional
        Borders in degrees, or km; without them, the region reaches beyond the stations that have picks by half their
        extent, but not beyond a model in three dimensions.
    margin : float, optional
        Distance, km, by which the region reaches beyond these stations, instead of half their extent.
    """

    depth: Interval
    latitude: Interval | None = None
    longitude: Interval | None = None
    y: Interval | None = None
    x: Interval | None = None
    margin: Annotated[float, Field(ge=0, le=WIDEST)] | None = None

    def model_post_init(self, _context: object) -> None:
        """Check the order of bounds."""
        for key in ("depth", "latitude", "longitude", "y", "x"):
            interval = getattr(self, key)
            if interval is not None and interval[0] >= interval[1]:
                raise ConfigError(key, interval, "the second must be larger than the first")
        if max(map(abs, self.depth)) > DEEPEST:
            raise ConfigError("depth", self.depth, f"must be in km, and not deeper than {DEEPEST:g} km; is it in m?")


def region_box(region: RegionSettings, network: Network, velocity: Layered | Grid3D) -> Box:
    """The region on the map: for geographic borders, the rectangle around them. Without borders it ends where a grid does.

    Raises
    ------
    ConfigError
        If borders are degrees and stations are in km, or the other way round, or borders lie outside the grid.
    """
    borders = _given(region, network.projection)
    if None in borders:
        around = _around_stations(network, region)
        if isinstance(velocity, Grid3D):
            around = _ended(around, velocity, network.projection)
        default = zip(around.lower[:2], around.upper[:2], strict=True)
        borders = [given or found for given, found in zip(borders, default, strict=True)]
    lower, upper = np.array([*borders, region.depth], float).T
    box = Box(lower, upper)
    if isinstance(velocity, Grid3D):
        _check_inside(box, region, velocity)
    return box


def _given(region: RegionSettings, projection: Projection | None) -> list[Interval | None]:
    """Intervals of x and y, km; None where the settings have none."""
    if projection is None:
        _refuse(region, ("latitude", "longitude"), "km")
        return [region.x, region.y]
    _refuse(region, ("y", "x"), "degrees")
    if region.latitude is None and region.longitude is None:
        return [None, None]
    if region.latitude is None or region.longitude is None:
        missing = "latitude" if region.latitude is None else "longitude"
        raise ConfigError(f"region.{missing}", None, "give both latitude and longitude, or neither")
    x, y = projection.to_local(*_border(region.latitude, region.longitude))
    return [(float(v.min()), float(v.max())) for v in (x, y)]


def _refuse(region: RegionSettings, keys: Sequence[str], unit: str) -> None:
    for key in keys:
        if getattr(region, key) is not None:
            raise ConfigError(f"region.{key}", getattr(region, key), f"stations are in {unit}, and so must be the region")


def _border(first: Interval, second: Interval) -> tuple[Floats, Floats]:
    """Points (n,) along the sides of a rectangle, and within it."""
    first_nodes, second_nodes = (a + ALONG * (b - a) for a, b in (first, second))
    along_first, along_second = np.meshgrid(first_nodes, second_nodes, indexing="ij")
    return along_first.ravel(), along_second.ravel()


def _around_stations(network: Network, region: RegionSettings) -> Box:
    low, high = network.place[:, :2].min(axis=0), network.place[:, :2].max(axis=0)
    reach = BEYOND * (high - low).max() if region.margin is None else region.margin
    if not (high - low + reach).all():
        remedy = "all stations with picks are in one place: give the margin of the region, km, or its borders"
        raise ConfigError("region", "none", remedy)
    return Box(np.append(low - reach, region.depth[0]), np.append(high + reach, region.depth[1]))


def _ended(box: Box, velocity: Grid3D, projection: Projection | None) -> Box:
    """The box as far as the grid goes; for a geographic grid, as far as the rectangle around their common part."""
    x, y = _border((box.lower[0], box.upper[0]), (box.lower[1], box.upper[1]))
    points = velocity.from_map(x, y, np.full(len(x), velocity.axes[2][0]), projection)
    if velocity.contains(points).all():
        return box
    log.warning("the region, as far as the stations and half as far again, reaches beyond the velocity model: it ends there")
    first, second, _ = np.clip(velocity.in_turn(points), *velocity.ends).T
    if velocity.geographic and projection is not None:
        x, y = projection.to_local(*_border((first.min(), first.max()), (second.min(), second.max())))
    else:
        x, y = second, first
    lower = np.maximum(box.lower, [x.min(), y.min(), -np.inf])
    return Box(lower, np.minimum(box.upper, [x.max(), y.max(), np.inf]))


def _check_inside(box: Box, region: RegionSettings, velocity: Grid3D) -> None:
    """Check the region in the axes of the grid; a side that is not given was made to end where the grid does."""
    on_map = dict(zip(("x", "y", "depth"), zip(box.lower, box.upper, strict=True), strict=True))
    ends = zip(AXES[velocity.geographic], *velocity.ends, strict=True)
    intervals = [on_map.get(name) or getattr(region, name) or (first, last) for name, first, last in ends]
    low, high = np.array(intervals, float).T
    if not velocity.contains(np.stack([low, high])).all():
        model = velocity.described(*velocity.ends)
        remedy = f"reaches outside the velocity model, {model}; make the region smaller, or the model larger"
        raise ConfigError("region", velocity.described(low, high), remedy)
