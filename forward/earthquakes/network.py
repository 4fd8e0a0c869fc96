"""Stations on the map, and in the velocity model."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.earthquakes.formats.nonlinloc.control import read_transform
from vip.forward.earthquakes.projection import MapProjection, Projection, centred_on, jacobian
from vip.forward.earthquakes.stations import Stations
from vip.forward.earthquakes.velocity import Grid3D, Layered
from vip.protocols import Floats


class Network(NamedTuple):
    """Positions of stations, on the map and on the Earth."""

    stations: Stations
    place: Floats
    """X, y and depth (n_stations, 3), km."""
    projection: Projection | None
    """Projection of the map; None where the model is Cartesian."""

    def on_earth(self, place: Floats) -> tuple[float, float]:
        """Latitude and longitude of a place (3,), or its y and x."""
        if self.projection is None:
            return float(place[1]), float(place[0])
        latitude, longitude = self.projection.to_geographic(place[:1], place[1:2])
        return float(latitude[0]), float(longitude[0])

    def to_true_north(self, place: Floats) -> Floats:
        """The matrix (3, 3) from x, y and depth to true kilometres east, north and down, at a place (3,)."""
        matrix = np.eye(3)
        if self.projection is not None:
            matrix[:2, :2] = jacobian(self.projection, *(np.array([value]) for value in self.on_earth(place)))[0]
        return matrix

    def seen_from(self, place: Floats, station: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Distances, km, and azimuths, degrees, of stations (n,), by their indices, from a place (3,)."""
        east, north = self.to_true_north(place)[:2, :2] @ (self.place[station, :2] - place[:2]).T
        return np.hypot(east, north), np.degrees(np.arctan2(east, north)) % 360


def network_of(stations: Stations, projection: Projection | None) -> Network:
    """Stations on the map; those in degrees get a projection about their middle if none is given."""
    first, second, elevation = stations.position.T
    if not stations.geographic:
        return Network(stations, np.stack([second, first, -elevation], axis=1), None)
    projection = projection or centred_on(first, second)
    return Network(stations, np.stack([*projection.to_local(first, second), -elevation], axis=1), projection)


def given_projection(definition: str | None, stations: Stations, velocity: Layered | Grid3D, file: Path) -> Projection | None:
    """Projection of the settings, or else that of x and y in the file of the velocity; None if there is neither.

    Raises
    ------
    ConfigError
        If stations and velocity have axes of different kinds.
    """
    cartesian, geographic = (isinstance(velocity, Grid3D) and velocity.geographic == kind for kind in (False, True))
    if not stations.geographic:
        if definition is not None:
            raise ConfigError("projection", definition, "these stations are in km already: leave it out")
        if geographic:
            raise ConfigError("velocity", file, "is over latitude and longitude, but stations are in km: give them in degrees")
        return None
    if definition is not None:
        return MapProjection(definition)
    if not (isinstance(velocity, Grid3D) and cartesian):
        return None
    if not velocity.transform:
        remedy = "is over x and y, but stations are in degrees: give them in km, or the `projection` of x and y"
        raise ConfigError("velocity", file, remedy)
    try:
        return read_transform(velocity.transform)
    except ConfigError as error:
        raise ConfigError(error.key, error.value, error.remedy, file) from error


def inside(velocity: Grid3D, stations: Stations, projection: Projection | None) -> NDArray[np.bool_]:
    """Whether each of the stations (n,) is in the model."""
    first, second, elevation = stations.position.T
    if projection is not None and not velocity.geographic:
        second, first = projection.to_local(first, second)
    return velocity.contains(np.stack([first, second, -elevation], axis=1))
