"""Figures 6 and 13-15 of Shi et al. (2024): python examples/association/unknown_speed.py [--speeds patterns] [--catalogues 20].

Eight events within two seconds, twenty stations, no noise, and a speed of which only a sample of others like it is known.
Picks, events and the speed are found together; of the last length, the catalogue of median accuracy is drawn.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

from vip.forward.association.speed.annealing import Annealing
from vip.forward.association.trials.crossing import SIDE
from vip.forward.association.trials.speeds import patterns, perturbed
from vip.forward.association.trials.unknown import catalogue, family_of, summary

SPEEDS = {"patterns": (patterns(np.random.default_rng(1)).draw, 20), "perturbations": (perturbed, 40)}
"""How speeds are drawn, and the number of components that describe them."""
PAPER = {
    "patterns": "8 events, 20 stations: ACC 91.3 %, speed 0.78 km/s, places 3.5 km, CF 0.94 (one catalogue)",
    "perturbations": "8 events, 20 stations: ACC 96.3 %, CF 0.79 (one catalogue)",
}


def draw(one, file: str) -> None:
    """Sections through found and true speeds and their difference, with events on them."""
    found, true = one.speed.velocity["P"], one.true.velocity["P"]
    middle = found.shape[0] // 2
    figure, axes = plt.subplots(2, 3, figsize=(10, 6.4), sharex=True, layout="constrained")
    views = ((np.s_[:, :, 8], "y (km)", 1, "depth 26 km"), (np.s_[middle], "depth (km)", 2, "y 52 km"))
    for row, (cut, label, axis, where) in zip(axes, views, strict=True):
        parts = (found[cut], true[cut], found[cut] - true[cut])
        for ax, part, name in zip(row, parts, ("found", "true", "found less true"), strict=True):
            part = part if axis == 1 else part.T
            difference = name == "found less true"
            limits = {"vmin": -2, "vmax": 2, "cmap": "RdBu"} if difference else {"vmin": 5, "vmax": 25, "cmap": "viridis"}
            image = ax.imshow(part, origin="lower", extent=(0, SIDE, 0, SIDE), aspect="auto", **limits)
            ax.plot(one.window.events.x[:, 0], one.window.events.x[:, axis], "o", mfc="none", mec="black", label="true event")
            ax.plot(one.found.events.x[:, 0], one.found.events.x[:, axis], "kx", label="found")
            if axis == 1:
                ax.plot(*one.window.channels.place[:, :2].T, "v", color="#E69F00", ms=4, label="station")
            else:
                ax.invert_yaxis()
            ax.set(title=f"{name}, {where}", xlabel="x (km)", xlim=(0, SIDE))
        row[0].set_ylabel(label)
        figure.colorbar(row[0].images[0], ax=row[1], label="km/s")
        figure.colorbar(image, ax=row[2], label="km/s")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(file, dpi=150)


def main() -> None:
    """Print a line for each catalogue and their means, and draw one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speeds", choices=sorted(SPEEDS), default="patterns")
    parser.add_argument("--catalogues", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first catalogue")
    parser.add_argument("--events", type=int, default=8)
    parser.add_argument("--stations", type=int, default=20)
    parser.add_argument("--lengths", type=float, nargs="+", default=[2.0], help="times in which all events begin, s")
    parser.add_argument("--starts", type=int, default=Annealing().starts, help="random starts of a round")
    parser.add_argument("--rounds", type=int, default=Annealing().rounds, help="most rounds of starts")
    parser.add_argument("--output", default="unknown_speed.png", help="figure")
    asked = parser.parse_args()
    drawn, size = SPEEDS[asked.speeds]
    family, search = family_of(drawn, size), Annealing(starts=asked.starts, rounds=asked.rounds)
    print("the family of speeds is learned", flush=True)
    for length in asked.lengths:
        trials, window = [], {"events": asked.events, "stations": asked.stations, "length": length}
        for seed in range(asked.first, asked.first + asked.catalogues):
            trials.append(catalogue(drawn, family, search, seed, **window))
            print(f"catalogue {seed}: {trials[-1].line}", flush=True)
        print(f"within {length:g} s, {summary(trials)}", flush=True)
    draw(sorted(trials, key=lambda one: one.accuracy)[len(trials) // 2], asked.output)
    print(f"paper: {PAPER[asked.speeds]}")


if __name__ == "__main__":
    main()
