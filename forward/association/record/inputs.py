"""What an association needs besides its picks, from files or tables: stations, travel times, and the region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from vip.errors import ConfigError
from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.earthquakes.frames import Source, named, stations_from, velocity_from
from vip.forward.earthquakes.network import Network, given_projection, inside, network_of
from vip.forward.earthquakes.picks import Fault, PickRules
from vip.forward.earthquakes.projection import Projection
from vip.forward.earthquakes.region import RegionSettings, region_box
from vip.forward.earthquakes.stations import Stations
from vip.forward.earthquakes.traveltimes.tables import Box, Solver, default_cache
from vip.forward.earthquakes.traveltimes.ways import ways_of
from vip.forward.earthquakes.velocity import Grid3D, Interpolation, Layered
from vip.kernels_c.timetables import TimeTables
from vip.protocols import Floats

FINEST = 50
"""Least number of nodes of travel times along the shorter side of the region."""
COARSEST = 1.0
"""Largest spacing of these nodes, km."""


class Earth(NamedTuple):
    """How a map, a region and travel times are made.

    Attributes
    ----------
    region : RegionSettings
    between : "constant" or "linear"
        Velocity between the depths of layers.
    projection : str, optional
        PROJ string or EPSG code of the map.
    cache : path, optional
        Folder in which travel times are kept; by default in the user's cache.
    """

    region: RegionSettings
    between: Interpolation = "constant"
    projection: str | None = None
    cache: Path | None = None


def region_of(values: Mapping[str, Any]) -> RegionSettings:
    """The settings of a region.

    Raises
    ------
    ConfigError
        If one of them is wrong.
    """
    try:
        return RegionSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        own = first.get("ctx", {}).get("error")
        if isinstance(own, ConfigError):
            raise own from error
        raise ConfigError(".".join(map(str, first["loc"])), first["input"], first["msg"].lower()) from error


class Survey(NamedTuple):
    """What is known before any pick."""

    stations: Stations
    velocity: Layered | Grid3D
    projection: Projection | None
    """Projection that is given; None if it follows from the stations."""
    rules: PickRules
    earth: Earth


def survey(stations: Source, velocity: Source, earth: Earth, sigma: Mapping[str, float]) -> Survey:
    """Read stations and velocities, and check that they agree.

    Raises
    ------
    ConfigError
        If something is wrong with them.
    """
    of_stations, model = stations_from(stations), velocity_from(velocity, earth.between)
    projection = given_projection(earth.projection, of_stations, model, named(velocity, "velocity"))
    return Survey(of_stations, model, projection, _rules(of_stations, model, projection, sigma), earth)


class Site(NamedTuple):
    """Stations that picks may be of, the region, and how waves come there."""

    pairs: list[tuple[int, str]]
    """Station, by its index in the survey, and phase of each channel."""
    network: Network
    box: Box
    channels: Channels

    def channel(self, station: Ints, phase: NDArray[np.str_]) -> Ints:
        """Channel of each pick (n,) by its station in the survey and its phase; -1 where there is none."""
        table = np.full((max(station.max(initial=0), *(station for station, _ in self.pairs)) + 1, 2), -1)
        for channel, (of_station, of_phase) in enumerate(self.pairs):
            table[of_station, int(of_phase == "S")] = channel
        channels: Ints = table[station, (phase == "S").astype(int)]
        return channels


def site(known: Survey, pairs: Iterable[tuple[int, str]], threads: int) -> Site:
    """The region about stations, and a table of travel times for each of some stations and phases.

    Raises
    ------
    ConfigError
        If the region has none of the stations, or does not agree with the velocities.
    """
    wanted = sorted(set(pairs))
    used = np.unique([station for station, _ in wanted])
    network = network_of(known.stations.chosen(used), known.projection)
    box = region_box(known.earth.region, network, known.velocity)
    _check_stations_inside(box, network)
    solver = Solver(box, spacing_of(box), known.earth.cache or default_cache(), threads)
    station, phase = np.searchsorted(used, [station for station, _ in wanted]), np.array([phase for _, phase in wanted])
    ways = ways_of(solver, known.velocity, network, station, phase)
    if not isinstance(ways.tables, TimeTables):
        raise TypeError(type(ways.tables).__name__)
    return Site(wanted, network, box, Channels(station, phase, network.place[station], ways.tables, ways.correction))


class Inputs(NamedTuple):
    """Picks, where they were made, and how waves come there."""

    rows: pd.DataFrame
    """Rows of the input, as those of a `Piece`."""
    faults: list[Fault]
    """Fault of each wrong row, in the order of the rows."""
    site: Site
    arrivals: Arrivals
    """The picks by channel and time, s after the reference; each with a standard deviation."""
    row: Ints
    """Row of each of the arrivals (n,)."""
    reference: np.datetime64
    """Time, UTC, in microseconds, from which times are counted."""


def seconds(time: NDArray[np.datetime64], reference: np.datetime64) -> Floats:
    """Times (n,), s after a reference."""
    after: Floats = (time - reference) / np.timedelta64(1, "s")
    return after


def log_weights(probability: Floats, mean: float) -> Floats:
    """Logarithm (n,) of how much likelier than the mean each pick is to be a wave, by the probability that its picker gives."""
    weights: Floats = np.log(probability / mean)
    return weights


def _rules(
    stations: Stations, velocity: Layered | Grid3D, projection: Projection | None, sigma: Mapping[str, float]
) -> PickRules:
    rules = PickRules(phases=velocity.phases, default_sigma=sigma, sigma_needed=False)
    if isinstance(velocity, Layered):
        return rules
    model = f"the velocity model ({velocity.described(*velocity.ends)})"
    return rules._replace(inside=inside(velocity, stations, projection), model=model)


def _check_stations_inside(box: Box, network: Network) -> None:
    place = network.place[:, :2]
    if not ((place >= box.lower[:2]) & (place <= box.upper[:2])).all(axis=1).any():
        raise ConfigError("region", "no station", "none of the stations with picks lies in it; are its borders right?")


def spacing_of(box: Box) -> float:
    """Spacing of the nodes of travel times, km."""
    return min(COARSEST, float((box.upper - box.lower)[:2].min()) / FINEST)
