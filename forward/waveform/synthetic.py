"""A synthetic event in a homogeneous earth under four ocean-bottom stations, and the commented starter configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from vip.forward.waveform.channels import pointing, write_channels
from vip.forward.waveform.elementary import Channel, Traces
from vip.forward.waveform.fullspace import FullSpace
from vip.forward.waveform.tensors import double_couple, scalar_moment
from vip.forward.waveform.truth import Truth, write_truth
from vip.protocols import Floats

STARTER = Path(__file__).with_name("starter.toml")
STATIONS = {"OB1": (180.0, 240.0), "OB2": (850.0, 160.0), "OB3": (760.0, 830.0), "OB4": (260.0, 700.0)}
"""Names and places, x and y, of stations on the sea bed, where the depth is zero."""
ORIENTED = {"H": None, "Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}
"""Channels of each: a hydrophone, and geophones with azimuth and dip."""
PLACE, ORIGIN_TIME, MAGNITUDE = np.array([412.7, 538.1, 1127.4]), 0.6133, 0.6
STRIKE, DIP, RAKE, ISOTROPIC = 35.0, 62.0, -48.0, 0.35
"""Mechanism: slip on a fault that opens, `ISOTROPIC` of it an explosion."""
SECONDS = 4.2
RELATIVE_NOISE = 0.056
"""Standard deviation of the noise, over the peak of all channels of its kind."""
COLOUR = 0.6
"""Correlation of successive samples of the noise."""


def starter_config() -> str:
    """A commented configuration, ready for the files that `write_example` makes or for the user's own."""
    return STARTER.read_text(encoding="utf-8")


def write_example(directory: Path, seed: int) -> Path:
    """Write channels, noisy seismograms, the true event and a configuration; returns the configuration's path."""
    rng = np.random.default_rng(seed)
    forward = tomllib.loads(starter_config())["forward"]
    time, earth, box = forward["time"], forward["greens"], forward["box"]
    channels = network()
    samples = round(SECONDS / time["dt"])
    sides = np.array([box[side] for side in ("x", "y", "depth")])
    greens = FullSpace(
        earth["vp"],
        earth["vs"],
        earth["density"],
        channels,
        sides,
        earth["width"],
        time["dt"],
        samples,
        time["start"] - ORIGIN_TIME,
        "float64",
    )
    truth = Truth(PLACE, ORIGIN_TIME, tensor())
    clean = truth.tensor @ greens.elementary(truth.place[None]).traces[0]
    directory.mkdir(parents=True, exist_ok=True)
    np.save(directory / "traces.npy", clean + noise(channels, clean, rng))
    write_channels(channels, directory / "channels.csv")
    write_truth(truth, directory / "truth.csv")
    config = directory / "waveform.toml"
    config.write_text(starter_config().replace("# truth =", "truth ="), encoding="utf-8")
    return config


def network() -> list[Channel]:
    """Channels of all stations."""
    return [
        Channel(
            station,
            name,
            "pressure" if turned is None else "velocity",
            (*place, 0.0),
            pointing(*turned) if turned else (0.0, 0.0, 0.0),
        )
        for station, place in STATIONS.items()
        for name, turned in ORIENTED.items()
    ]


def tensor() -> Floats:
    """The true moment tensor (6,), N m."""
    fault = double_couple(STRIKE, np.cos(np.radians(DIP)), RAKE)[0]
    explosion = np.array([1.0, 1, 1, 0, 0, 0]) * np.sqrt(2 / 3)
    mixed: Floats = scalar_moment(np.array(MAGNITUDE)) * (np.sqrt(1 - ISOTROPIC**2) * fault + ISOTROPIC * explosion)
    return mixed


def noise(channels: Sequence[Channel], clean: Traces, rng: np.random.Generator) -> Floats:
    """Noise (channels, samples) whose successive samples are correlated by `COLOUR`."""
    kinds = np.array([channel.kind for channel in channels])
    peak = np.array([np.abs(clean[kinds == kind]).max() for kind in kinds])
    lead = 50
    white = rng.standard_normal((clean.shape[0], clean.shape[1] + lead))
    coloured = lfilter([np.sqrt(1 - COLOUR**2)], [1, -COLOUR], white)[:, lead:]
    made: Floats = RELATIVE_NOISE * peak[:, None] * coloured
    return made
