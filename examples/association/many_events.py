"""Figure 7 of Shi et al. (2024): python examples/association/many_events.py [--catalogues 20].

Sixteen events within a second, which is half of the time of figure 6, at 50 and at 20 stations, and a speed that is not known.
The catalogue of median accuracy of each number of stations is drawn as in the paper: stations by rows, time along, the true
event of a pick inside and the one that was found outside.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

from vip.forward.association.speed.annealing import Annealing
from vip.forward.association.trials.measures import names
from vip.forward.association.trials.speeds import patterns
from vip.forward.association.trials.unknown import catalogue, family_of, summary

EVENTS, LENGTH = 16, 1.0
PAPER = {50: "50 stations: ACC 72.0 %, CF 0.98 (one catalogue)", 20: "20 stations: ACC 28.4 %, CF 0.90 (one catalogue)"}


def draw(ax, one) -> None:
    """Picks of a catalogue."""
    window, colours = one.window, plt.get_cmap("tab20").colors[:EVENTS]
    named = np.append(names(one.found.event, window.event), -1)[one.found.event]
    look = np.array([*colours, (1, 1, 1)])
    ax.hlines(range(len(window.channels)), window.picks.time.min(), window.picks.time.max(), color="0.9", lw=0.6, zorder=0)
    at = window.picks.time, window.picks.channel
    ax.scatter(*at, 34, color=look[named], lw=0)
    ax.scatter(*at, 16, color="white", lw=0)
    ax.scatter(*at, 10, color=look[window.event], lw=0)
    ax.set_yticks(range(0, len(window.channels), 5))
    ax.set(
        xlabel="time (s); inside: true event, ring: event found",
        ylabel="station",
        title=f"{one.line.partition(', speed')[0]}, CF {window.confusion:.2f}",
    )


def main() -> None:
    """Print a line for each catalogue and their means, and draw one of each number of stations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogues", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first catalogue")
    parser.add_argument("--stations", type=int, nargs="+", default=[50, 20])
    parser.add_argument("--starts", type=int, default=Annealing().starts, help="random starts of a round")
    parser.add_argument("--rounds", type=int, default=Annealing().rounds, help="most rounds of starts")
    parser.add_argument("--output", default="many_events.png", help="figure")
    asked = parser.parse_args()
    speeds = patterns(np.random.default_rng(1)).draw
    family, search = family_of(speeds, 20), Annealing(starts=asked.starts, rounds=asked.rounds)
    print("the family of speeds is learned", flush=True)
    heights = [2 + 0.16 * n for n in asked.stations]
    figure, axes = plt.subplots(
        len(heights), 1, figsize=(10, sum(heights)), height_ratios=heights, layout="constrained", squeeze=False
    )
    for ax, stations in zip(axes[:, 0], asked.stations, strict=True):
        window, trials = {"events": EVENTS, "stations": stations, "length": LENGTH}, []
        for seed in range(asked.first, asked.first + asked.catalogues):
            trials.append(catalogue(speeds, family, search, seed, **window))
            print(f"{stations} stations, catalogue {seed}: {trials[-1].line}", flush=True)
        print(f"{stations} stations, {summary(trials)}; paper: {PAPER.get(stations, 'no such number')}", flush=True)
        draw(ax, sorted(trials, key=lambda one: one.accuracy)[len(trials) // 2])
    figure.savefig(asked.output, dpi=150)


if __name__ == "__main__":
    main()
