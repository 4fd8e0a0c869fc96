"""A synthetic section with faults and a slow lens, and the commented starter configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from vip.forward.fwi2d.wavelet import ricker
from vip.kernels_c.acoustic2d import Grid, Shot, traces
from vip.protocols import Floats

SHAPE, SPACING = (60, 100), 40.0
WATER_DEPTH, WATER_VELOCITY = 200.0, 1500.0
DT, N_SAMPLES, FREQUENCY = 0.004, 751, 5.0
SHOT_X = np.arange(200.0, 3900.0, 450.0)
RECEIVER_X = np.arange(0.0, 3961.0, 40.0)
SHOT_DEPTH, RECEIVER_DEPTH = 40.0, 160.0
FASTEST = 5000.0
RELATIVE_SIGMA = 0.02
HALF_WIDTH = 700.0
"""Half the width of the prior, m/s."""

STARTER = Path(__file__).with_name("starter.toml")


def starter_config() -> str:
    """A commented configuration, ready for the files that `write_example` makes or for the user's own."""
    return STARTER.read_text(encoding="utf-8")


def write_example(directory: Path, seed: int) -> Path:
    """Write shots, receivers, noisy waveforms, the true velocity and a configuration; returns the configuration's path.

    Waves are computed at half the inversion's spacing and time step.
    """
    rng = np.random.default_rng(seed)
    shots = np.stack([np.full(len(SHOT_X), SHOT_DEPTH), SHOT_X], axis=1)
    receivers = np.stack([np.full(len(RECEIVER_X), RECEIVER_DEPTH), RECEIVER_X], axis=1)
    clean = _waveforms(shots, receivers)
    noise = RELATIVE_SIGMA * float(np.median(np.abs(clean).max(axis=2)))
    directory.mkdir(parents=True, exist_ok=True)
    for name, points in (("shots.csv", shots), ("receivers.csv", receivers)):
        pd.DataFrame(points, columns=["depth", "x"]).to_csv(directory / name, index=False)
    np.save(directory / "data.npy", (clean + noise * rng.standard_normal(clean.shape)).astype(np.float32))
    np.save(directory / "true_velocity.npy", true_velocity(SHAPE, SPACING))
    np.savetxt(
        directory / "bounds.txt", prior_bounds(), fmt="%.1f", header="lower and upper bound (m/s) of each row below water"
    )
    config = directory / "fwi2d.toml"
    config.write_text(starter_config().replace("# true_model =", "true_model ="), encoding="utf-8")
    return config


def true_velocity(shape: tuple[int, int], spacing: float) -> Floats:
    """Velocity (rows, columns), m/s: dipping layers that two faults cut, a slow lens, under water."""
    z, x = np.meshgrid(spacing * np.arange(shape[0]), spacing * np.arange(shape[1]), indexing="ij")
    throw = 160.0 * (x > 1300 + 0.45 * z) - 120.0 * (x > 3000 - 0.35 * z)
    level = z - throw - 0.05 * (x - 2000) + 60 * np.sin(x / 700)
    bottoms = np.array([420.0, 640.0, 800.0, 1050.0, 1300.0, 1500.0, 1850.0])
    speeds = np.array([1700.0, 1950.0, 2250.0, 2050.0, 2600.0, 2900.0, 2650.0, 3300.0])
    velocity: Floats = speeds[np.searchsorted(bottoms, level)] + 0.12 * (z - WATER_DEPTH)
    velocity[((x - 2150) / 520) ** 2 + ((z - 930) / 110) ** 2 < 1] = 1750.0
    velocity[z < WATER_DEPTH] = WATER_VELOCITY
    return velocity


def prior_bounds() -> Floats:
    """Lower and upper bounds (rows, 2) of the rows below the water, m/s."""
    depth = SPACING * np.arange(SHAPE[0])
    centre = 1950 + 0.65 * (depth[depth >= WATER_DEPTH] - WATER_DEPTH)
    return np.stack([np.maximum(centre - HALF_WIDTH, WATER_VELOCITY), centre + HALF_WIDTH], axis=1)


def _waveforms(shots: Floats, receivers: Floats) -> Floats:
    """Clean traces (shots, receivers, samples)."""
    shape = (2 * SHAPE[0] - 1, 2 * SHAPE[1] - 1)
    grid = Grid(shape, (SPACING / 2, SPACING / 2), DT / 2, 2 * N_SAMPLES - 1, layer=20, layer_speed=FASTEST)
    wavelet = ricker(FREQUENCY, 1 / FREQUENCY, grid.dt, grid.n_steps)[:, None]
    velocity = true_velocity(shape, SPACING / 2)
    return np.stack([traces(velocity, Shot(grid, shot[None], receivers), wavelet)[::2].T for shot in shots]).astype(float)
