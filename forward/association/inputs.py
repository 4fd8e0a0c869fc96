"""What an association needs, from files or tables: picks by channel, travel times, and the region."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import ValidationError

from vip.errors import ConfigError
from vip.forward.association.channels import Arrivals, Channels, Ints
from vip.forward.earthquakes.frames import Source, named, pick_rows_from, stations_from, velocity_from
from vip.forward.earthquakes.network import Network, given_projection, inside, network_of
from vip.forward.earthquakes.picks import Fault, PickRules, UnassociatedPicks, checked_unassociated
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


class Inputs(NamedTuple):
    """Picks, where they were made, and how waves come there."""

    rows: pd.DataFrame
    """All rows of the input, as text."""
    picks: UnassociatedPicks
    faults: list[Fault]
    """Fault of each row that is no pick, in the order of the rows."""
    network: Network
    """Stations that have picks."""
    box: Box
    channels: Channels
    arrivals: Arrivals
    """The picks by channel and time; a standard deviation is not a number where none is known."""
    order: Ints
    """Index in `picks` of each of the arrivals (n,)."""
    velocity: Layered | Grid3D
    solver: Solver


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


def read(picks: Source, stations: Source, velocity: Source, earth: Earth, sigma: Mapping[str, float], threads: int) -> Inputs:
    """Read all, check that it agrees, and compute travel times.

    Raises
    ------
    ConfigError
        If something is wrong with more than some of the picks.
    """
    of_stations, model = stations_from(stations), velocity_from(velocity, earth.between)
    projection = given_projection(earth.projection, of_stations, model, named(velocity, "velocity"))
    rows = pick_rows_from(picks)
    file = named(picks, "picks")
    found, faults = checked_unassociated(rows, of_stations, _rules(of_stations, model, projection, sigma), file)
    if not len(found.time):
        raise ConfigError("picks", "none", "at least one is needed", file)
    used = np.unique(found.station)
    found = found._replace(station=np.searchsorted(used, found.station))
    network = network_of(of_stations.chosen(used), projection)
    box = region_box(earth.region, network, model)
    _check_stations_inside(box, network)
    solver = Solver(box, _spacing(box), earth.cache or default_cache(), threads)
    return _with_channels(rows, found, faults, network, box, solver, model)


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


def _spacing(box: Box) -> float:
    return min(COARSEST, float((box.upper - box.lower)[:2].min()) / FINEST)


def _with_channels(
    rows: pd.DataFrame,
    picks: UnassociatedPicks,
    faults: list[Fault],
    network: Network,
    box: Box,
    solver: Solver,
    velocity: Layered | Grid3D,
) -> Inputs:
    ways = ways_of(solver, velocity, network, picks.station, picks.phase)
    if not isinstance(ways.tables, TimeTables):
        raise TypeError(type(ways.tables).__name__)
    _, first = np.unique(ways.table, return_index=True)  # tables are numbered without gaps
    station = picks.station[first]
    channels = Channels(station, picks.phase[first], network.place[station], ways.tables, ways.correction[first])
    order = np.lexsort((picks.time, ways.table))
    sigma = picks.sigma / np.sqrt(picks.weight)
    arrivals = Arrivals(ways.table[order], picks.time[order], sigma[order], log_weights(picks.probability)[order])
    return Inputs(rows, picks, faults, network, box, channels, arrivals, order, velocity, solver)


def log_weights(probability: Floats) -> Floats:
    """Logarithm (n,) of how much likelier than the mean each pick is to be a wave, by the probability that its picker gives."""
    weights: Floats = np.log(probability / probability.mean())
    return weights
