"""Figure 8 of Shi et al. (2024): python examples/association/events_and_stations.py [--catalogues 20].

Numbers of events and of stations are varied, at a speed that is not known: a rise with depth and up to two random fields.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from cells import heat

from vip.forward.association.speed.annealing import Annealing
from vip.forward.association.trials.speeds import patterns
from vip.forward.association.trials.unknown import catalogue, family_of, summary

EVENTS, STATIONS = (4, 8, 12), (10, 20, 30)
LENGTH = 4.0
"""Time in which all events begin, s: the mean confusion factor is that of the paper, about 0.8."""


def main() -> None:
    """Print a line for each cell and draw accuracy, ceiling and errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogues", type=int, default=20, help="for each cell")
    parser.add_argument("--events", type=int, nargs="+", default=EVENTS)
    parser.add_argument("--stations", type=int, nargs="+", default=STATIONS)
    parser.add_argument("--starts", type=int, default=Annealing().starts, help="random starts of a round")
    parser.add_argument("--rounds", type=int, default=Annealing().rounds, help="most rounds of starts")
    parser.add_argument("--output", default="events_and_stations.png", help="figure")
    asked = parser.parse_args()
    fields, search = patterns(np.random.default_rng(1)), Annealing(starts=asked.starts, rounds=asked.rounds)

    def draw(rng):
        return fields.draw(rng, 2)

    family, table = family_of(draw, 20), np.zeros((4, len(asked.events), len(asked.stations)))
    for i, events in enumerate(asked.events):
        for j, stations in enumerate(asked.stations):
            window = {"events": events, "stations": stations, "length": LENGTH}
            trials = [catalogue(draw, family, search, seed, **window) for seed in range(asked.catalogues)]
            rows = [(100 * t.accuracy, 100 * t.ceiling, t.speed_error, t.location_error) for t in trials]
            table[:, i, j] = np.mean(rows, axis=0)
            print(f"{events} events, {stations} stations: {summary(trials)}", flush=True)
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), sharey=True, layout="constrained")
    shown = ("picks given to the right event (%)", "ceiling (%)", "speed, rms error (km/s)", "places, rms error (km)")
    limits = ((50, 100, "cividis"), (50, 100, "cividis"), (0, 3, "cividis_r"), (0, 20, "cividis_r"))
    for ax, values, title, (low, high, cmap) in zip(axes, table, shown, limits, strict=True):
        heat(ax, values, asked.events, asked.stations, title, low, high, cmap)
        ax.set(xlabel="stations")
    axes[0].set_ylabel("events")
    figure.suptitle(f"Mean of catalogues: {asked.catalogues} in each cell")
    figure.savefig(asked.output, dpi=150)


if __name__ == "__main__":
    main()
