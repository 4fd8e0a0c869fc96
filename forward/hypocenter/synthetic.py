"""A synthetic catalogue of the kind of Smith et al. (2022, section 4.1), and the commented starter configuration."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forward.hypocenter.projection import centred_on
from forward.hypocenter.times import Box, Solver, default_cache
from forward.hypocenter.velocity import Layered, read_layers

Floats = NDArray[np.float64]

STARTER = Path(__file__).with_name("starter.toml")
LATITUDES, LONGITUDES = np.linspace(32.4, 34.8, 6), np.linspace(-118.2, -115.0, 7)
"""Of the stations, at sea level."""
N_EVENTS, LATITUDE, BETWEEN, DEPTH = 20, 33.6, (-117.4, -115.8), 5.0
"""Events on a line."""
SHARE = 0.7
"""Of the possible picks that there are."""
SIGMA = {"P": 0.05, "S": 0.1}
"""s"""
FRACTION, LEAST, MOST = 0.01, 0.05, 0.5
"""Accuracy of the times that are predicted: a fraction of them, within bounds, s."""
LAYERS = pd.DataFrame(
    {"depth": [-1.0, 2.0, 6.0, 16.0, 32.0], "vp": [4.8, 5.6, 6.1, 6.7, 7.8], "vs": [2.8, 3.2, 3.5, 3.85, 4.5]}
)


def starter_config() -> str:
    """A commented configuration, ready for the files that `write_example` makes or for the user's own."""
    return STARTER.read_text(encoding="utf-8")


def write_example(directory: Path, seed: int) -> Path:
    """Write stations, layers, picks of a line of events, where these are, and a configuration; returns its path.

    Errors are those of the configuration: of the picks, and of the predicted times, which are independent here. The true times
    are computed on nodes twice as close as those of the configuration.
    """
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    latitude, longitude = (axis.ravel() for axis in np.meshgrid(LATITUDES, LONGITUDES))
    names = np.array([f"S{i + 1:02d}" for i in range(len(latitude))])
    stations = pd.DataFrame({"station": names, "latitude": latitude, "longitude": longitude, "elevation_km": 0.0})
    stations.to_csv(directory / "stations.csv", index=False, float_format="%.5f")
    LAYERS.to_csv(directory / "velocity.csv", index=False)
    events = np.stack([np.full(N_EVENTS, LATITUDE), np.linspace(*BETWEEN, N_EVENTS), np.full(N_EVENTS, DEPTH)], axis=1)
    layers = read_layers(directory / "velocity.csv")
    picks = pd.concat([_picks(layers, stations, event, f"ev{i + 1:03d}", 600 * i, rng) for i, event in enumerate(events)])
    picks.to_csv(directory / "picks.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
    truth = pd.DataFrame(events, columns=["latitude", "longitude", "depth"])
    truth.insert(0, "event", [f"ev{i + 1:03d}" for i in range(N_EVENTS)])
    truth.to_csv(directory / "truth.csv", index=False)
    config = directory / "hypocenter.toml"
    accuracy = f"fraction = {FRACTION}\nleast = {LEAST}\nmost = {MOST}\n"
    text = re.sub(r"fraction = .*\nleast = .*\nmost = .*\n", accuracy, starter_config())
    config.write_text(text, encoding="utf-8")
    return config


def _picks(
    layers: Layered, stations: pd.DataFrame, event: Floats, name: str, seconds: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Picks of one event: by reciprocity, tables from it to all stations serve as well as one from each station."""
    latitude, longitude = stations["latitude"].to_numpy(), stations["longitude"].to_numpy()
    projection = centred_on(latitude, longitude)
    x, y = projection.to_local(latitude, longitude)
    place = np.array([*np.ravel(projection.to_local(event[:1], event[1:2])), event[2]])
    box = Box(np.array([x.min(), y.min(), 0.0]), np.array([x.max(), y.max(), 30.0]))
    tables = Solver(box, 0.5, default_cache()).layered(layers, list(SIGMA), np.tile(place, (len(SIGMA), 1)))
    at_stations = np.stack([x, y, np.zeros_like(x)], axis=1)[None]
    origin = np.datetime64("2026-01-01T00:00:00", "us") + np.timedelta64(seconds, "s")
    parts = []
    for row, (phase, sigma) in enumerate(SIGMA.items()):
        time = tables.evaluate(at_stations, np.arange(len(x)), np.full(len(x), row))[0][0]
        time += np.hypot(sigma, np.clip(FRACTION * time, LEAST, MOST)) * rng.standard_normal(len(x))
        there = rng.random(len(x)) < SHARE
        observed = origin + np.rint(1e6 * time[there]).astype("timedelta64[us]")
        picked = {"event": name, "station": stations["station"][there], "phase": phase, "time": observed, "sigma": sigma}
        parts.append(pd.DataFrame(picked))
    return pd.concat(parts)
