"""A synthetic hour of picks with its truth, and the commented starter configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from vip.forward.earthquakes.formats.csv import write_table
from vip.forward.earthquakes.frames import stations_from, velocity_from
from vip.forward.earthquakes.network import Network, network_of
from vip.forward.earthquakes.traveltimes.tables import Box, Solver, default_cache
from vip.forward.earthquakes.traveltimes.ways import ways_of
from vip.forward.earthquakes.velocity import Grid3D, Layered
from vip.protocols import Floats

STARTER = Path(__file__).parents[1] / "starter.toml"
LAYERS = pd.DataFrame({"depth": [-1.0, 3.0, 15.0, 30.0], "vp": [5.0, 5.8, 6.5, 7.8], "vs": [2.9, 3.35, 3.75, 4.5]})
MIDDLE = (33.0, -116.0)
"""Latitude and longitude of the middle of the network, degrees."""
SIDE = 0.9
"""Side of the square in which stations and events are, degrees of latitude."""
DEPTHS = (2.0, 15.0)
"""Depths of events, km."""
SIGMA = {"P": 0.05, "S": 0.1}
"""Standard deviations of picks, s."""
STEEPNESS = 20.0
"""Slope of the share of waves that are seen against distance, in reaches."""
SPACING = 0.5
"""Spacing of the nodes on which the true times are computed, km: closer than those of an association."""
START = np.datetime64("2026-01-01T00:00:00", "us")
MICROSECOND = np.timedelta64(1, "us")


def starter_config() -> str:
    """A commented configuration, ready for the files that `write_example` makes or for the user's own."""
    return STARTER.read_text(encoding="utf-8")


def write_example(
    directory: Path,
    seed: int,
    events: int = 60,
    stations: int = 20,
    length: float = 3600.0,
    missing: float = 0.1,
    false: float = 0.1,
    reach: float | None = None,
) -> Path:
    """Write picks, stations and layers, the true events and the true event of each pick; returns the configuration's path.

    Parameters
    ----------
    directory : Path
    seed : int
    events, stations : int
        Numbers of events and of stations.
    length : float
        Length of the record, s.
    missing : float
        Share of the arrivals that are not picked.
    false : float
        Share of the picks that are of no event.
    reach : float, optional
        Distance, km, at which every second arrival is picked; at 0.8 of it nearly all are, at 1.2 nearly none.
    """
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    table = _stations(rng, stations)
    layers = velocity_from(LAYERS)
    network = network_of(stations_from(table), None)
    truth = _events(rng, events, length)
    chance = (1 - missing) * _seen(truth, network, reach)
    picks = _picks(rng, table["station"].to_numpy(), truth, _times(truth, network, layers), length, chance, false)
    table.to_csv(directory / "stations.csv", index=False, float_format="%.5f")
    LAYERS.to_csv(directory / "velocity.csv", index=False)
    write_table(picks.drop(columns="event"), directory / "picks.csv")
    write_table(picks[["id", "event"]], directory / "truth_assignments.csv")
    write_table(truth, directory / "truth.csv")
    config = directory / "association.toml"
    config.write_text(starter_config(), encoding="utf-8")
    return config


def _scattered(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Latitudes and longitudes (n,) in the square."""
    north, east = SIDE * (rng.random((2, n)) - 0.5)
    return MIDDLE[0] + north, MIDDLE[1] + east / np.cos(np.radians(MIDDLE[0]))


def _stations(rng: np.random.Generator, n: int) -> pd.DataFrame:
    latitude, longitude = _scattered(rng, n)
    names = [f"XX.S{i + 1:02d}" for i in range(n)]
    return pd.DataFrame({"station": names, "latitude": latitude.round(5), "longitude": longitude.round(5), "elevation_m": 0.0})


def _events(rng: np.random.Generator, n: int, length: float) -> pd.DataFrame:
    latitude, longitude = _scattered(rng, n)
    time = START + np.rint(1e6 * np.sort(rng.uniform(0, length, n))) * MICROSECOND
    names, depth = [f"true{i + 1:03d}" for i in range(n)], rng.uniform(*DEPTHS, n)
    times = pd.Series(time).dt.tz_localize("UTC")
    return pd.DataFrame({"event": names, "time": times, "latitude": latitude, "longitude": longitude, "depth": depth})


def _places(truth: pd.DataFrame, network: Network) -> Floats:
    """Places (n_events, 3), km."""
    if network.projection is None:
        raise TypeError("stations are in km")
    x, y = network.projection.to_local(truth["latitude"].to_numpy(), truth["longitude"].to_numpy())
    return np.stack([x, y, truth["depth"].to_numpy()], axis=1)


def _seen(truth: pd.DataFrame, network: Network, reach: float | None) -> Floats:
    """Share (n_events, n_stations) of waves that are strong enough to be seen."""
    distance = np.linalg.norm(_places(truth, network)[:, None] - network.place, axis=2)
    return expit((1 - distance / reach) * STEEPNESS) if reach else np.ones(distance.shape)


def _times(truth: pd.DataFrame, network: Network, layers: Layered | Grid3D) -> dict[str, Floats]:
    """Travel times (n_events, n_stations), s, by phase."""
    places = _places(truth, network)
    both = np.concatenate([network.place, places])
    solver = Solver(Box(both.min(axis=0), both.max(axis=0)), SPACING, default_cache())
    n = len(network.place)
    station, phase = np.tile(np.arange(n), len(SIGMA)), np.repeat(list(SIGMA), n)
    ways = ways_of(solver, layers, network, station, phase)
    time, _ = ways.tables.evaluate(places[:, None], np.zeros(len(station), int), ways.table)
    return dict(zip(SIGMA, np.split(time, len(SIGMA), axis=1), strict=True))


def _picks(
    rng: np.random.Generator,
    stations: np.ndarray[tuple[int], np.dtype[np.object_]],
    truth: pd.DataFrame,
    times: dict[str, Floats],
    length: float,
    chance: Floats,
    false: float,
) -> pd.DataFrame:
    """Picks by time, with the event of each, empty for those of none."""
    origin = (truth["time"].dt.tz_localize(None).to_numpy("datetime64[us]") - START) / np.timedelta64(1, "s")
    parts = []
    for phase, travel in times.items():
        event, station = np.nonzero(rng.random(travel.shape) >= 1 - chance)
        seconds = origin[event] + travel[event, station] + SIGMA[phase] * rng.standard_normal(len(event))
        n = rng.poisson(len(event) * false / (1 - false))
        name = np.append(truth["event"].to_numpy(object)[event], np.full(n, "", object))
        seconds, station = np.append(seconds, rng.uniform(0, length, n)), np.append(station, rng.integers(0, len(stations), n))
        parts.append(pd.DataFrame({"station": stations[station], "phase": phase, "seconds": seconds, "event": name}))
    table = pd.concat(parts).sort_values("seconds", kind="stable").reset_index(drop=True)
    time = pd.Series(START + np.rint(1e6 * table["seconds"].to_numpy()) * MICROSECOND).dt.tz_localize("UTC")
    identifiers = [f"p{i + 1:05d}" for i in range(len(table))]
    return pd.DataFrame(
        {"id": identifiers, "station": table["station"], "phase": table["phase"], "time": time, "event": table["event"]}
    )
