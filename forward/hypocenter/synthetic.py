"""A synthetic catalogue of the kind of Smith et al. (2022, section 4.1), and the commented starter configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.forward.earthquakes.projection import centred_on
from vip.forward.earthquakes.reading import read_layers
from vip.forward.earthquakes.traveltimes.tables import Box, Solver, default_cache
from vip.forward.earthquakes.velocity import Layered
from vip.protocols import Floats

STARTER = Path(__file__).with_name("starter.toml")
LATITUDES, LONGITUDES = np.linspace(32.4, 34.8, 6), np.linspace(-118.2, -115.0, 7)
"""Latitudes and longitudes of the stations, at sea level."""
LINE = np.stack([np.full(20, 33.6), np.linspace(-117.4, -115.8, 20), np.full(20, 5.0)], axis=1)
"""Hypocentres: latitude, longitude and depth, km."""
APART = np.timedelta64(600, "s")
"""Time from one event to the next."""
SHARE = 0.7
"""Share of the possible picks that are made."""
SIGMA = {"P": 0.05, "S": 0.1}
"""Standard deviations of picks, s."""
FRACTION, LEAST, MOST = 0.01, 0.05, 0.5
"""Accuracy of predicted times: a fraction of them, within bounds, s."""
FALSE = (2.0, 20.0)
"""Range of the errors of false picks, s."""
START = np.datetime64("2026-01-01T00:00:00", "us")
LAYERS = pd.DataFrame(
    {"depth": [-1.0, 2.0, 6.0, 16.0, 32.0], "vp": [4.8, 5.6, 6.1, 6.7, 7.8], "vs": [2.8, 3.2, 3.5, 3.85, 4.5]}
)


def starter_config() -> str:
    """A commented configuration, ready for the files that `write_example` makes or for the user's own."""
    return STARTER.read_text(encoding="utf-8")


def write_example(directory: Path, seed: int, events: Floats = LINE, false: float = 0.0) -> Path:
    """Write stations, layers, picks and places of some events, and a configuration; returns the configuration's path.

    Errors of picks and of predicted times are those of the configuration, and independent. The true times are computed on nodes
    twice as close as those of the configuration.

    Parameters
    ----------
    directory : Path
    seed : int
    events : (n, 3) float
        Latitude, longitude and depth, km.
    false : float
        Share of the picks that are wrong by some seconds.
    """
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    latitude, longitude = (axis.ravel() for axis in np.meshgrid(LATITUDES, LONGITUDES))
    names = np.array([f"S{i + 1:02d}" for i in range(len(latitude))])
    stations = pd.DataFrame({"station": names, "latitude": latitude, "longitude": longitude, "elevation_km": 0.0})
    stations.to_csv(directory / "stations.csv", index=False, float_format="%.5f")
    LAYERS.to_csv(directory / "velocity.csv", index=False)
    times = _times(read_layers(directory / "velocity.csv"), latitude, longitude, events)
    picks = _picks(names, times, false, rng)
    picks.to_csv(directory / "picks.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
    truth = pd.DataFrame(events, columns=["latitude", "longitude", "depth"])
    truth.insert(0, "event", _event_names(len(events)))
    truth.to_csv(directory / "truth.csv", index=False)
    config = directory / "hypocenter.toml"
    accuracy = f"fraction = {FRACTION}\nleast = {LEAST}\nmost = {MOST}\n"
    text = re.sub(r"fraction = .*\nleast = .*\nmost = .*\n", accuracy, starter_config())
    config.write_text(text, encoding="utf-8")
    return config


def _event_names(n: int) -> list[str]:
    return [f"ev{i + 1:03d}" for i in range(n)]


def _times(layers: Layered, latitude: Floats, longitude: Floats, events: Floats) -> dict[str, Floats]:
    """Travel times (n_events, n_stations), s, by phase."""
    projection = centred_on(latitude, longitude)
    stations, places = (
        np.stack([*projection.to_local(lat, lon), depth], axis=1)
        for lat, lon, depth in ((latitude, longitude, np.zeros_like(latitude)), events.T)
    )
    both = np.concatenate([stations, places])
    solver = Solver(Box(both.min(axis=0), both.max(axis=0)), 0.5, default_cache())
    event, station = (index.ravel() for index in np.indices((len(events), len(stations))))
    return {
        phase: solver.layered(layers, [phase] * len(stations), stations)
        .evaluate(places[None], event, station)[0]
        .reshape(len(events), len(stations))
        for phase in SIGMA
    }


def _picks(stations: NDArray[np.str_], times: Mapping[str, Floats], false: float, rng: np.random.Generator) -> pd.DataFrame:
    """Picks of all events, one event after the other."""
    parts = []
    for phase, sigma in SIGMA.items():
        time = times[phase] + np.hypot(sigma, np.clip(FRACTION * times[phase], LEAST, MOST)) * rng.standard_normal(
            times[phase].shape
        )
        time += np.where(rng.random(time.shape) < false, rng.uniform(*FALSE, time.shape) * rng.choice([-1, 1], time.shape), 0.0)
        event, station = np.nonzero(rng.random(time.shape) < SHARE)
        observed = START + event * APART + np.rint(1e6 * time[event, station]).astype("timedelta64[us]")
        names = np.array(_event_names(len(time)))[event]
        parts.append(
            pd.DataFrame({"event": names, "station": stations[station], "phase": phase, "time": observed, "sigma": sigma})
        )
    return pd.concat(parts).sort_values("event", kind="stable")
