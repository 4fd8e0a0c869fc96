"""Figure 9c of Shi et al. (2024): python examples/association/missing_and_false.py [--catalogues 20].

Accuracy where a share of the arrivals is missing and false picks are added: eight events, twenty stations, 7 km/s everywhere.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

from vip.forward.association.trials.crossing import ceiling, crossing, found, uniform
from vip.forward.association.trials.measures import accuracy

SHARES = (0.0, 0.1, 0.2, 0.3)


def main() -> None:
    """Print a table and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogues", type=int, default=20, help="for each cell")
    parser.add_argument("--output", default="missing_and_false.png", help="figure")
    asked = parser.parse_args()
    right, best = np.zeros((2, len(SHARES), len(SHARES)))
    for i, missing in enumerate(SHARES):
        for j, false in enumerate(SHARES):
            make = [np.random.default_rng(seed) for seed in range(asked.catalogues)]
            windows = [crossing(rng, uniform(), missing=missing, false=false) for rng in make]
            right[i, j] = 100 * np.mean([accuracy(found(window), window.event) for window in windows])
            best[i, j] = 100 * np.mean([ceiling(window) for window in windows])
            print(f"missing {missing:.0%}, false {false:.0%}: ACC {right[i, j]:.1f} %, ceiling {best[i, j]:.1f} %", flush=True)
    figure, ax = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
    image = ax.imshow(right, origin="lower", cmap="cividis", vmin=80, vmax=100)
    for (i, j), value in np.ndenumerate(right):
        ax.text(j, i, f"{value:.1f}", ha="center", va="center", color="white" if value < 92 else "black")
    ticks = range(len(SHARES)), [f"{share:.0%}" for share in SHARES]
    ax.set_xticks(*ticks)
    ax.set_yticks(*ticks)
    ax.set(xlabel="false picks, over arrivals", ylabel="arrivals that are missing")
    figure.colorbar(image, label="picks given to the right event (%)")
    figure.savefig(asked.output, dpi=150)


if __name__ == "__main__":
    main()
