"""A synthetic archipelago of the size of the British Isles problem, and the commented starter configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from vip.forward.tomo2d.sources import minimum_sources, orient
from vip.kernels_c.eikonal2d import Grid, Plan, travel_times
from vip.protocols import Floats

SHAPE, ORIGIN, SPACING = (41, 38), (47.0, -45.0), (-0.325, 0.42)
N_STATIONS, N_PICKS = 61, 401
ISLANDS = np.array([[44.4, -41.8, 1.2], [43.0, -34.0, 1.4], [38.4, -42.2, 1.4], [36.6, -34.4, 1.5], [40.8, -37.6, 0.9]])
"""Latitude, longitude and radius (degrees) of the islands that carry the stations."""

STARTER = Path(__file__).with_name("starter.toml")


def starter_config() -> str:
    """A commented configuration, ready for the files that `write_example` makes or for the user's own."""
    return STARTER.read_text(encoding="utf-8")


def write_example(directory: Path, seed: int) -> Path:
    """Write stations, noisy picks, the true velocity and a configuration; returns the configuration's path.

    The true times are computed on a grid twice as fine as the one an inversion uses.
    """
    rng = np.random.default_rng(seed)
    velocity = true_velocity(rng)
    stations = _stations(rng)
    a, b = _pairs(stations, rng)
    sigma = np.clip(rng.lognormal(np.log(1.1), 0.6, N_PICKS), 0.2, 8.0)
    sources = minimum_sources(a, b)
    source_of_pick, receiver = orient(a, b, sources)
    grid = Grid(SHAPE, ORIGIN, SPACING, spherical=True, refinement=4)
    plan = Plan(grid, stations[sources], stations[receiver], source_of_pick, "float64")
    times = travel_times(velocity.reshape(1, -1), plan)[0] + sigma * rng.standard_normal(N_PICKS)

    names = np.array([f"S{i + 1:02d}" for i in range(N_STATIONS)])
    directory.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"name": names, "latitude": stations[:, 0].round(4), "longitude": stations[:, 1].round(4)}).to_csv(
        directory / "stations.csv", index=False
    )
    pd.DataFrame({"source": names[a], "receiver": names[b], "time": times.round(3), "sigma": sigma.round(3)}).to_csv(
        directory / "times.csv", index=False
    )
    np.savetxt(directory / "true_velocity.txt", velocity, fmt="%.4f")
    config = directory / "tomo2d.toml"
    config.write_text(starter_config().replace("# true_model =", "true_model ="), encoding="utf-8")
    return config


def true_velocity(rng: np.random.Generator) -> Floats:
    """Velocity map (rows, columns), km/s: smooth anomalies, a sharp slow basin and a sharp fast belt."""
    rows, columns = np.meshgrid(
        ORIGIN[0] + SPACING[0] * np.arange(SHAPE[0]), ORIGIN[1] + SPACING[1] * np.arange(SHAPE[1]), indexing="ij"
    )
    smooth = gaussian_filter(rng.standard_normal(SHAPE), 4, mode="reflect")
    velocity: Floats = 3.1 + 0.22 * smooth / smooth.std()
    velocity[(rows - 38.3) ** 2 + (0.78 * (columns + 38.6)) ** 2 < 1.5**2] = 2.3
    belt = np.abs((rows - 42.3) - 0.55 * (columns + 39.5)) < 0.55
    velocity[belt & (np.abs(columns + 39.5) < 3.2)] = 3.75
    return velocity


def _stations(rng: np.random.Generator) -> Floats:
    """Stations (n, 2) spread over the islands, denser on the larger ones."""
    share = ISLANDS[:, 2] ** 2 / (ISLANDS[:, 2] ** 2).sum()
    island = ISLANDS[rng.choice(len(ISLANDS), size=N_STATIONS, p=share)]
    radius, angle = island[:, 2] * np.sqrt(rng.random(N_STATIONS)), 2 * np.pi * rng.random(N_STATIONS)
    return np.stack([island[:, 0] + radius * np.sin(angle), island[:, 1] + radius * np.cos(angle) / 0.78], axis=1).round(4)


def _pairs(stations: Floats, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Station pairs that could be measured: none closer than 60 km, distant ones less often."""
    a, b = np.triu_indices(len(stations), 1)
    distance = Grid(SHAPE, ORIGIN, SPACING, spherical=True).distance(stations[a], stations[b])
    chance = np.where(distance > 60, np.exp(-distance / 600), 0)
    chosen = np.sort(rng.choice(len(a), size=N_PICKS, replace=False, p=chance / chance.sum()))
    return a[chosen], b[chosen]
