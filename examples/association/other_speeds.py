"""Figures 9a and 9b of Shi et al. (2024): python examples/association/other_speeds.py [--figure 9b] [--catalogues 20].

The true speed is not one that is assumed. 9a: one fixed speed is assumed, the true one has a share of another one. 9b: speeds
of a sample are assumed, the true one has a share of folded layers, which are in none of the sample.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from cells import heat

from vip.forward.association.speed.annealing import Annealing
from vip.forward.association.trials.crossing import ceiling, channels_in, crossing
from vip.forward.association.trials.measures import accuracy
from vip.forward.association.trials.speeds import between, folded, patterns
from vip.forward.association.trials.unknown import SPACING, family_of, trial
from vip.forward.association.window.associate import associate
from vip.forward.association.window.learning import learn, with_sigma
from vip.forward.association.window.search import grid

SHARES = {"9a": (0.0, 0.05, 0.1, 0.2), "9b": (0.0, 0.25, 0.5, 1.0)}
LENGTHS = (60.0, 8.0, 2.0)
"""Times in which all events begin, s."""
FIELDS = patterns(np.random.default_rng(1))


def at_a_fixed_speed(seed: int, share: float, length: float):
    """Accuracy, ceiling and confusion factor where folded layers are assumed and a share of random fields is true.

    What the speed's error leaves at the stations is learned from the picks, as their standard deviation.
    """
    rng, assumed = np.random.default_rng(seed), folded()
    made = crossing(rng, between(assumed, FIELDS.draw(rng, 2), share), length=length)
    channels = channels_in(assumed, made.channels.place)
    rate = len(made.event) / (len(channels) * float(np.ptp(made.picks.time)))
    nodes = grid(channels, made.rules, SPACING, rate)
    unsaid = made.picks._replace(sigma=np.full(len(made.event), np.nan))
    known, rules = learn(unsaid, channels, nodes, made.rules, made.rules.detection, 1)
    found = associate(with_sigma(unsaid, channels, known.sigma), channels, nodes, rules)
    return accuracy(found.event, made.event), ceiling(made), made.confusion


def of_a_sample(seed: int, share: float, length: float, family, search: Annealing):
    """The same where the speed is one of a sample, of which the true one is not."""
    rng = np.random.default_rng(seed)
    one = trial(between(FIELDS.draw(rng, 2), folded(), share), family, rng, search, seed, length=length)
    return one.accuracy, one.ceiling, one.window.confusion


def main() -> None:
    """Print a line for each cell and draw accuracy and ceiling."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", choices=sorted(SHARES), default="9a")
    parser.add_argument("--catalogues", type=int, default=20, help="for each cell")
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS, help="times in which all events begin, s")
    parser.add_argument("--shares", type=float, nargs="+", help="of the other speed")
    parser.add_argument("--starts", type=int, default=Annealing().starts, help="random starts of a round")
    parser.add_argument("--rounds", type=int, default=1, help="most rounds of starts: residuals stay large whatever is found")
    parser.add_argument("--output", default="other_speeds.png", help="figure")
    asked = parser.parse_args()
    shares, search = asked.shares or SHARES[asked.figure], Annealing(starts=asked.starts, rounds=asked.rounds)
    family = family_of(lambda rng: FIELDS.draw(rng, 2), 20) if asked.figure == "9b" else None
    table = np.zeros((3, len(asked.lengths), len(shares)))
    for i, length in enumerate(asked.lengths):
        for j, share in enumerate(shares):
            seeds = range(asked.catalogues)
            if family is None:
                rows = [at_a_fixed_speed(seed, share, length) for seed in seeds]
            else:
                rows = [of_a_sample(seed, share, length, family, search) for seed in seeds]
            right, best, confusion = table[:, i, j] = np.mean(rows, axis=0)
            said = f"ACC {100 * right:.1f} %, ceiling {100 * best:.1f} %"
            print(f"{asked.figure}: share {share:g}, CF {confusion:.2f}: {said}, {len(rows)} catalogues", flush=True)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    names = [f"{cf:.2f}" for cf in table[2].mean(axis=1)]
    for ax, values, title in zip(axes, table, ("picks given to the right event (%)", "ceiling (%)"), strict=False):
        heat(ax, 100 * values, names, [f"{share:g}" for share in shares], title, 0, 100)
        ax.set(xlabel="share of the other speed")
    axes[0].set_ylabel("confusion factor")
    figure.savefig(asked.output, dpi=150)


if __name__ == "__main__":
    main()
