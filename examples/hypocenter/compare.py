"""The two runs beside the truth, with their ellipses of 95 %: python compare.py writes fault.png."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Ellipse
from scipy.stats import chi2

import vip
from vip.runs.inversion import load_run

HERE = Path(__file__).parent
RUNS = {"layers": "#D55E00", "volume": "#0072B2"}
NAMES = {"layers": "mean velocity at each depth", "volume": "velocity in three dimensions"}


def draw_ellipse(ax, samples, color):
    """Draw the ellipse that holds 95 % of a Gaussian with the mean and covariance of samples (n, 2)."""
    values, vectors = np.linalg.eigh(np.cov(samples.T))
    length, angle = 2 * np.sqrt(chi2.ppf(0.95, 2) * values), np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
    ax.add_patch(Ellipse(samples.mean(axis=0), length[1], length[0], angle=angle, fc=color, ec=color, alpha=0.35, lw=1))


def main(folder=HERE):
    """Draw a map, and a section from south to north."""
    figure, (above, section) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for name, color in RUNS.items():
        store = vip.Store(folder / "runs" / name)
        result = vip.Result(store, load_run(store))
        forward = result.problem.forward
        for samples in np.moveaxis(forward.by_event(result.flat.astype(float)), 1, 0):
            draw_ellipse(above, samples[:, [0, 1]], color)
            draw_ellipse(section, samples[:, [1, 2]], color)
        above.plot([], [], "o", color=color, alpha=0.5, label=NAMES[name])
    network = forward.catalogue.network
    truth = pd.read_csv(folder / "truth.csv")
    x, y = network.projection.to_local(truth["latitude"].to_numpy(), truth["longitude"].to_numpy())
    above.plot(x, y, "k+", ms=6, label="truth")
    section.plot(y, truth["depth"], "k+", ms=6)
    above.plot(*network.place[:, :2].T, "^", color="0.6", ms=5, label="stations")
    above.set(xlabel="east (km)", ylabel="north (km)", aspect="equal")
    section.set(xlabel="north (km)", ylabel="depth (km)")
    section.invert_yaxis()
    section.locator_params(axis="x", nbins=6)
    for ax in (above, section):
        ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(folder / "fault.png", dpi=110)


if __name__ == "__main__":
    main()
