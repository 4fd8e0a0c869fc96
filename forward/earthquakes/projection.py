"""Maps from latitude and longitude to local Cartesian coordinates and back: x to the east and y to the north, km."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from vip.earth import ECCENTRICITY_SQUARED, EQUATOR
from vip.errors import ConfigError
from vip.protocols import Floats

SCALE = 0.9995
"""Scale of the transverse Mercator at its central meridian: distances within 300 km of it are right to 0.07 %."""
SIMPLE_KM_PER_DEGREE = 10000.0 / 90.0
"""Kilometres to a degree in NonLinLoc's TRANS SIMPLE, whose grids depend on it: the metre as it was first defined."""
STEP = 1e-4
"""Step of the differences that give the Jacobian, degrees."""


class Projection(Protocol):
    """A map from degrees to km, and back."""

    def to_local(self, latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
        """Local x to the east and y to the north, km."""
        ...

    def to_geographic(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Latitude and longitude, degrees."""
        ...


@dataclass(frozen=True)
class MapProjection:
    """A projection of PROJ.

    Parameters
    ----------
    definition : str
        PROJ string or EPSG code of a projected coordinate system, in any unit of length.
    rotation : float
        Direction of the projection's north, degrees clockwise from the y axis.

    Raises
    ------
    ConfigError
        If PROJ does not know the system, or it is not a projected one.
    """

    definition: str
    rotation: float = 0.0

    def __post_init__(self) -> None:
        _ = self._transformer  # an error is raised here, not at first use

    @cached_property
    def _transformer(self) -> tuple[Any, float]:
        """Transformer from degrees to the system's unit, and this unit in km."""
        try:
            from pyproj import CRS, Transformer
            from pyproj.exceptions import CRSError
        except ImportError as error:
            raise ConfigError("projection", self.definition, "needs pyproj: pip install 'vip-inversion[seismology]'") from error
        try:
            crs = CRS.from_user_input(self.definition)
        except CRSError as error:
            raise ConfigError("projection", self.definition, f"expected a PROJ string or an EPSG code: {error}") from error
        if not crs.is_projected:
            raise ConfigError("projection", self.definition, "has degrees; expected one in metres, such as EPSG:32632")
        to_km = crs.axis_info[0].unit_conversion_factor / 1000
        return Transformer.from_crs("EPSG:4326", crs, always_xy=True), to_km

    def to_local(self, latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
        """Local x to the east and y to the north, km."""
        transformer, to_km = self._transformer
        x, y = transformer.transform(longitude, latitude)
        return _turned(np.asarray(x) * to_km, np.asarray(y) * to_km, self.rotation)

    def to_geographic(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Latitude and longitude, degrees."""
        transformer, to_km = self._transformer
        east, north = _turned(np.asarray(x), np.asarray(y), -self.rotation)
        longitude, latitude = transformer.transform(east / to_km, north / to_km, direction="INVERSE")
        return np.asarray(latitude), np.asarray(longitude)


@dataclass(frozen=True)
class Simple:
    """NonLinLoc's TRANS SIMPLE, for files that were made with it: flat, with 111.1 km to a degree of latitude.

    Parameters
    ----------
    latitude, longitude : float
        Origin of the map, degrees.
    rotation : float
        Direction of geographic north, degrees clockwise from the y axis.
    """

    latitude: float
    longitude: float
    rotation: float = 0.0

    def to_local(self, latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
        """Local x to the east and y to the north, km."""
        degrees_east = (np.asarray(longitude) - self.longitude + 180) % 360 - 180
        east = degrees_east * SIMPLE_KM_PER_DEGREE * np.cos(np.radians(latitude))
        north = (np.asarray(latitude) - self.latitude) * SIMPLE_KM_PER_DEGREE
        return _turned(east, north, self.rotation)

    def to_geographic(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Latitude and longitude, degrees."""
        east, north = _turned(np.asarray(x), np.asarray(y), -self.rotation)
        latitude = self.latitude + north / SIMPLE_KM_PER_DEGREE
        longitude = self.longitude + east / (SIMPLE_KM_PER_DEGREE * np.cos(np.radians(latitude)))
        return latitude, (longitude + 180) % 360 - 180


def _turned(x: Floats, y: Floats, angle: float) -> tuple[Floats, Floats]:
    """Points x and y turned clockwise by an angle, degrees."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return c * x + s * y, c * y - s * x


def centred_on(latitude: Floats, longitude: Floats) -> MapProjection:
    """Transverse Mercator about the middle of points in degrees, such as stations; they may lie across the 180th meridian."""
    first = float(np.ravel(longitude)[0])
    apart = (np.asarray(longitude) - first + 180) % 360 - 180
    centre = (np.min(latitude) + np.max(latitude)) / 2, (first + (apart.min() + apart.max()) / 2 + 180) % 360 - 180
    return MapProjection(
        f"+proj=tmerc +lat_0={centre[0]:.6f} +lon_0={centre[1]:.6f} +k={SCALE} +datum=WGS84 +units=m +type=crs"
    )


def jacobian(projection: Projection, latitude: Floats, longitude: Floats) -> Floats:
    """Derivative of true kilometres east and north on the WGS84 ellipsoid by local x and y, at points in degrees.

    A covariance C of (x, y) is J C J^T of (east, north).

    Parameters
    ----------
    latitude, longitude : (n,) float

    Returns
    -------
    (n, 2, 2) float
    """
    latitude, longitude = np.atleast_1d(latitude).astype(float), np.atleast_1d(longitude).astype(float)
    columns = []
    for step in ((0.0, STEP), (STEP, 0.0)):  # to the east, to the north
        ahead = np.stack(projection.to_local(latitude + step[0], longitude + step[1]), axis=-1)
        behind = np.stack(projection.to_local(latitude - step[0], longitude - step[1]), axis=-1)
        columns.append((ahead - behind) / (2 * STEP))
    by_degrees = np.stack(columns, axis=-1)
    kilometres = np.stack(_degree_lengths(latitude), axis=-1)
    return kilometres[..., :, None] * np.linalg.inv(by_degrees)


def _degree_lengths(latitude: Floats) -> tuple[Floats, Floats]:
    """Kilometres to a degree of longitude and of latitude on the WGS84 ellipsoid."""
    sine = np.sin(np.radians(latitude))
    bulge = 1 - ECCENTRICITY_SQUARED * sine**2
    across = EQUATOR / np.sqrt(bulge)
    along = EQUATOR * (1 - ECCENTRICITY_SQUARED) / bulge**1.5
    return np.radians(across * np.cos(np.radians(latitude))), np.radians(along)
