"""Seismograms for the examples: the event of table 2 of Spurio Mancini et al. (2021) in a homogeneous earth.

Usage: python make_data.py [DIRECTORY]

Four receivers on one plane and the event below them are where the paper has them; noise is 5.6 % of the strongest trace's peak.
The paper's earth is layered, and its box of the prior reaches up to the receivers; here it ends 30 m away from them.
"""

import sys
from pathlib import Path

import numpy as np

from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.fullspace import FullSpace
from vip.forward.waveform.record.arrays import pointing
from vip.forward.waveform.synthetic import tensor, write_channels
from vip.forward.waveform.tensors import magnitude, scalar_moment
from vip.forward.waveform.truth import Truth, write_truth

PLACE = np.array([375.0, 300.0, 1570.0])
BOX = np.array([[0.0, 1000.0], [0.0, 1000.0], [0.0, 2400.0]])
RECEIVERS = [(500.0, 500.0), (250.0, 750.0), (500.0, 750.0), (750.0, 750.0)]
DEPTH, DT, SAMPLES, NOISE = 2430.0, 0.004, 501, 0.056
EARTH = {"vp": 3000.0, "vs": 1700.0, "density": 2200.0, "width": 0.012}
TURNED = {"H": None, "Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}


def channels(names):
    """Channels of the receivers: "H" for hydrophones, "ZNE" for geophones."""
    made = []
    for i, place in enumerate(RECEIVERS):
        for name in names:
            kind = "pressure" if TURNED[name] is None else "velocity"
            direction = pointing(*TURNED[name]) if TURNED[name] else (0.0, 0.0, 0.0)
            made.append(Channel(f"R{i + 1}", name, kind, (*place, DEPTH), direction))
    return made


def write(folder, names, moment, rng):
    """Write channels, noisy seismograms and the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = channels(names)
    greens = FullSpace(**EARTH, channels=listed, box=BOX, dt=DT, samples=SAMPLES, precision="float64")
    clean = moment @ greens.elementary(PLACE[None]).traces[0]
    kinds = np.array([channel.kind for channel in listed])
    peak = np.array([np.abs(clean[kinds == kind]).max() for kind in kinds])
    np.save(folder / "traces.npy", clean + NOISE * peak[:, None] * rng.standard_normal(clean.shape))
    write_channels(listed, folder / "channels.csv")
    write_truth(Truth(PLACE, 0.0, moment), folder / "truth.csv")


def main(folder):
    """Write the data of both examples: an explosion at hydrophones, and a tensor at hydrophones and geophones."""
    rng = np.random.default_rng(1)
    explosion = scalar_moment(magnitude(tensor())) * np.array([1.0, 1, 1, 0, 0, 0]) * np.sqrt(2 / 3)
    write(folder / "explosion", "H", explosion, rng)
    write(folder / "moment_tensor", "HZNE", tensor(), rng)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
