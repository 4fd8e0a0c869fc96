"""From the files of a location to picks, stations on a map, and travel times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forward.hypocenter.network_times import NetworkTimes, network_times
from forward.hypocenter.picks import Fault, PickRules, Picks, read_picks
from forward.hypocenter.projection import MapProjection, Projection, centred_on
from forward.hypocenter.settings import HypocenterSettings, RegionSettings
from forward.hypocenter.stations import Stations, read_stations
from forward.hypocenter.times import Box, Solver, default_cache
from forward.hypocenter.velocity import Grid3D, Layered, read_layers, read_netcdf
from kernels_c.timetables import TimeTables
from vip.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

BEYOND = 0.5
"""How far the region reaches beyond the stations where it is not given, over their extent."""


class Network(NamedTuple):
    """Where stations are, on the map and on the Earth."""

    stations: Stations
    place: Floats
    """(n_stations, 3) x, y and depth, km."""
    projection: Projection | None
    """None where the model is Cartesian."""


class Ways(NamedTuple):
    """From hypocentres to the stations of picks."""

    tables: TimeTables | NetworkTimes
    table: Ints
    """(n_picks,) the table of each pick's station and phase."""
    correction: Floats
    """(n_picks,) s, added to the predicted times."""


class Catalogue(NamedTuple):
    """What is to be located, and with what."""

    picks: Picks
    faults: list[Fault]
    """Of the events that are left out."""
    network: Network
    ways: Ways
    box: Box


def read_catalogue(s: HypocenterSettings, base_dir: Path, threads: int = 1) -> Catalogue:
    """All that the settings name, checked against each other; relative paths start at `base_dir`.

    Raises
    ------
    ConfigError
        If a file cannot be read as what it should be, or no event is left.
    """
    stations = read_stations(base_dir / s.stations)
    velocity = _read_velocity(base_dir / s.velocity, s)
    network = _network(stations, s.projection)
    box = _box(s.region, network)
    rules = PickRules(phases=velocity.phases, default_sigma=s.sigma, fewest=s.fewest_picks)
    picks, faults = read_picks(base_dir / s.picks, stations, rules)
    if not picks.events:
        raise ConfigError("picks", base_dir / s.picks, f"no event can be located; the first: {faults[0]}")
    solver = Solver(box, s.spacing, s.cache or default_cache(), threads)
    ways = _ways(solver, velocity, network, picks, s.travel_times)
    return Catalogue(picks, faults, network, ways, box)


def _read_velocity(file: Path, s: HypocenterSettings) -> Layered | Grid3D:
    return read_netcdf(file) if file.suffix in (".nc", ".nc4", ".netcdf") else read_layers(file, s.between)


def _network(stations: Stations, definition: str | None) -> Network:
    first, second = stations.position[:, 0], stations.position[:, 1]
    depth = -stations.position[:, 2]
    if not stations.geographic:
        if definition is not None:
            raise ConfigError("projection", definition, "these stations are in km already: leave it out")
        return Network(stations, np.stack([second, first, depth], axis=1), None)
    projection = centred_on(first, second) if definition is None else MapProjection(definition)
    return Network(stations, np.stack([*projection.to_local(first, second), depth], axis=1), projection)


def _box(region: RegionSettings, network: Network) -> Box:
    """The region on the map; of geographic borders, the rectangle around them."""
    low, high = network.place[:, :2].min(axis=0), network.place[:, :2].max(axis=0)
    reach = BEYOND * (high - low).max()
    low, high = low - reach, high + reach
    if network.projection is None:
        _refuse(region, ("latitude", "longitude"), "km")
        intervals = [region.x or (low[0], high[0]), region.y or (low[1], high[1])]
    else:
        _refuse(region, ("y", "x"), "degrees")
        intervals = _projected(region, network.projection, low, high)
    lower, upper = np.array([*intervals, region.depth], float).T
    return Box(lower, upper)


def _refuse(region: RegionSettings, keys: Sequence[str], unit: str) -> None:
    for key in keys:
        if getattr(region, key) is not None:
            raise ConfigError(f"region.{key}", getattr(region, key), f"stations are in {unit}, and so must be the region")


def _projected(region: RegionSettings, projection: Projection, low: Floats, high: Floats) -> list[tuple[float, float]]:
    """Intervals of x and y around borders in degrees."""
    if region.latitude is None and region.longitude is None:
        return list(zip(low, high, strict=True))
    if region.latitude is None or region.longitude is None:
        missing = "latitude" if region.latitude is None else "longitude"
        raise ConfigError(f"region.{missing}", None, "give both latitude and longitude, or neither")
    along = np.linspace(0, 1, 21)
    latitude, longitude = (np.array([a + along * (b - a)]) for a, b in (region.latitude, region.longitude))
    border = [np.ravel(v) for v in np.broadcast_arrays(latitude.T, longitude)]
    x, y = projection.to_local(*border)
    return [(float(v.min()), float(v.max())) for v in (x, y)]


def _ways(solver: Solver, velocity: Layered | Grid3D, network: Network, picks: Picks, travel_times: str) -> Ways:
    """A table for each station and phase that was picked."""
    pairs = list(zip(picks.station.tolist(), picks.phase.tolist(), strict=True))
    wanted = sorted(set(pairs))
    row = {pair: i for i, pair in enumerate(wanted)}
    place, phases = network.place[[station for station, _ in wanted]], [phase for _, phase in wanted]
    tables: TimeTables | NetworkTimes
    if travel_times == "network":
        tables = network_times(solver, velocity, phases, place, network.projection)
    elif isinstance(velocity, Layered):
        tables = solver.layered(velocity, phases, place)
    else:
        tables = solver.volume(velocity, phases, place, network.projection)
    corrections = network.stations.corrections
    correction = np.array([corrections[phase][station] if phase in corrections else 0.0 for station, phase in pairs])
    return Ways(tables, np.array([row[pair] for pair in pairs]), correction)
