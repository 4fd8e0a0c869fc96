"""Figures 4 and 5 of Shi et al. (2024) at a known speed: python examples/association/known_speed.py [--catalogues 20].

Eight events and twenty stations; the shorter the time in which all events begin, the more their arrivals cross (confusion
factor, CF). Accuracy without noise and with 0.1 s of it, beside the ceiling: the best assignment to the true events.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

from vip.forward.association.trials.crossing import ceiling, crossing, found, gradient, uniform
from vip.forward.association.trials.measures import accuracy

LENGTHS = (60.0, 20.0, 8.0, 4.0, 2.0, 1.0)
"""Times in which all events begin, s."""
MEDIA = {"7 km/s": uniform(), "5 to 25 km/s with depth": gradient()}
PAPER = np.array([[0.88, 97.5], [0.42, 98.8], [0.05, 100], [0.02, 100], [0.93, 95.0]])
"""CF and accuracy, %, of the paper's figures 4 and 5, one catalogue each."""
COLORS = {0.0: "#0072B2", 0.1: "#D55E00"}


def row(delays, length: float, sigma: float, catalogues: int) -> tuple[float, float, float, float]:
    """Mean CF, mean and worst accuracy, and ceiling of some catalogues, %."""
    windows = [crossing(np.random.default_rng(seed), delays, length=length, sigma=sigma) for seed in range(catalogues)]
    right = [accuracy(found(window), window.event) for window in windows]
    best = [ceiling(window) for window in windows]
    return float(np.mean([w.confusion for w in windows])), *(
        100 * float(v) for v in (np.mean(right), min(right), np.mean(best))
    )


def main() -> None:
    """Print a table and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogues", type=int, default=20, help="for each point")
    parser.add_argument("--output", default="known_speed.png", help="figure")
    asked = parser.parse_args()
    figure, axes = plt.subplots(1, len(MEDIA), figsize=(9, 3.6), sharey=True, layout="constrained")
    for ax, (name, delays) in zip(axes, MEDIA.items(), strict=True):
        for sigma, color in COLORS.items():
            rows = np.array([row(delays, length, sigma, asked.catalogues) for length in LENGTHS])
            for length, (cf, mean, worst, best) in zip(LENGTHS, rows, strict=True):
                said = f"ACC {mean:5.1f} % (worst {worst:5.1f}), ceiling {best:5.1f} %"
                print(f"{name}, {sigma} s of noise, {length:4.0f} s: CF {cf:.2f}, {said}", flush=True)
            rows = rows[np.argsort(rows[:, 0])]
            ax.plot(rows[:, 0], rows[:, 1], "o-", color=color, label=f"picks with {sigma} s of noise")
            ax.plot(rows[:, 0], rows[:, 3], "--", color=color, lw=1, label="ceiling")
        ax.plot(*PAPER.T, "x", color="black", label="Shi et al. (2024), no noise, 3-D speeds")
        ax.set(title=name, xlabel="confusion factor")
    axes[0].set(ylabel="picks given to the right event (%)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(asked.output, dpi=150)


if __name__ == "__main__":
    main()
