"""The catalogue to locate: picks, stations on a map, and travel times, made from files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from vip.errors import ConfigError
from vip.forward.earthquakes.network import Network, given_projection, inside, network_of
from vip.forward.earthquakes.picks import Fault, PickRules, Picks
from vip.forward.earthquakes.projection import Projection
from vip.forward.earthquakes.reading import read_picks, read_stations, read_velocity
from vip.forward.earthquakes.region import region_box
from vip.forward.earthquakes.stations import Stations
from vip.forward.earthquakes.traveltimes.tables import Box, Solver, default_cache
from vip.forward.earthquakes.traveltimes.ways import Ways, ways_of
from vip.forward.earthquakes.velocity import Grid3D, Layered
from vip.forward.hypocenter.early import early_by, early_faults, shortest_and_longest
from vip.forward.hypocenter.likelihood import Accuracy
from vip.forward.hypocenter.settings import AccuracySettings, HypocenterSettings


class Catalogue(NamedTuple):
    """Events to be located, with all that this needs."""

    picks: Picks
    faults: list[Fault]
    """Faults of the events that are left out."""
    network: Network
    ways: Ways
    box: Box


def read_catalogue(s: HypocenterSettings, base_dir: Path, threads: int = 1) -> Catalogue:
    """Read all that the settings name, and check that it agrees; relative paths start at `base_dir`.

    Only stations with picks of events without a fault are kept, and only these decide how far the region and the tables reach.

    Raises
    ------
    ConfigError
        If a file does not hold what it should, or no event is left.
    """
    stations = read_stations(base_dir / s.stations)
    velocity = read_velocity(base_dir / s.velocity, s.between)
    projection = given_projection(s.projection, stations, velocity, base_dir / s.velocity)
    file = base_dir / s.picks
    picks, faults = read_picks(file, stations, _rules(s, stations, velocity, projection))
    _check_any(picks, faults, file)
    used = np.unique(picks.station)
    picks = picks._replace(station=np.searchsorted(used, picks.station))
    network = network_of(stations.chosen(used), projection)
    box = region_box(s.region, network, velocity)
    solver = Solver(box, s.spacing, s.cache or default_cache(), threads)
    ways = ways_of(solver, velocity, network, picks.station, picks.phase, s.travel_times)
    early = _early(s.accuracy, picks, network, ways, box, file)
    if early:
        faults += early
        kept = ~np.isin(picks.events, [fault.event for fault in early])
        own = kept[picks.event()]
        picks, ways = picks.of(kept), ways._replace(table=ways.table[own], correction=ways.correction[own])
        _check_any(picks, faults, file)
    return Catalogue(picks, faults, network, ways, box)


def _rules(s: HypocenterSettings, stations: Stations, velocity: Layered | Grid3D, projection: Projection | None) -> PickRules:
    rules = PickRules(
        phases=velocity.phases, default_sigma={str(phase): sigma for phase, sigma in s.sigma.items()}, fewest=s.fewest_picks
    )
    if isinstance(velocity, Layered):
        return rules
    model = f"the velocity model ({velocity.described(*velocity.ends)})"
    return rules._replace(inside=inside(velocity, stations, projection), model=model)


def _check_any(picks: Picks, faults: list[Fault], file: Path) -> None:
    if not picks.events:
        raise ConfigError("picks", file, f"no event can be located; the first: {faults[0]}")


def _early(s: AccuracySettings, picks: Picks, network: Network, ways: Ways, box: Box, file: Path) -> list[Fault]:
    """Faults of picks before all possible origins."""
    shortest, longest = (times[ways.table] + ways.correction for times in shortest_and_longest(ways.tables, box))
    predicted = Accuracy(s.fraction, s.least, s.most).variance(shortest)[0]
    early = early_by(picks, shortest, longest)
    return early_faults(picks, network.stations.names, early, np.sqrt(picks.sigma**2 + predicted), file)
