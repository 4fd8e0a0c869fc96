"""Association of a record of picks: births, a joint fit, deaths, until nothing changes; then probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.channels import Arrivals, Channels, Ints
from vip.forward.association.chance import local_rates
from vip.forward.association.fit import Events, Fitted, Free, Rules, refine
from vip.forward.association.joint import Joint, Solution
from vip.forward.association.search import Grid, candidates
from vip.protocols import Floats

MOST_ROUNDS = 20
"""Rounds of births."""
SHRINKING = 0.6
"""Ratio of one width of the refinement to the one before."""


class Association(NamedTuple):
    """Events and which picks are theirs."""

    events: Events
    evidence: Floats
    """Log-odds (n_events,) of each event against chance."""
    event: Ints
    """Event of each pick (n,), or -1."""
    probability: Floats
    """Probability (n,) that the pick is a wave of this event; of no event where it has none."""


def associate(picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, threads: int = 1) -> Association:
    """Find the events of a record, and the picks of each.

    Parameters
    ----------
    picks : Arrivals
    channels : Channels
    nodes : Grid
    rules : Rules
    threads : int
        Does not change the result.
    """
    length = float(np.ptp(picks.time)) if len(picks.time) else 0.0
    free = np.ones(len(picks.time), bool)
    solution: Solution | None = None
    for _ in range(MOST_ROUNDS):
        rate = local_rates(picks, len(channels), free, length)
        born = births(picks.of(free), rate[free], channels, nodes, rules, threads)
        if not len(born.time):
            break
        before = len(solution.events.time) if solution else 0
        joint = Joint(picks, rate, channels, rules)
        solution = joint.solve(solution.events.and_(born) if solution else born)
        free = solution.owner(len(free)) < 0
        if len(solution.events.time) <= before:
            break
    if solution is None:
        none = Events(np.zeros((0, 3)), np.zeros(0), np.zeros(0, int))
        return Association(none, np.zeros(0), np.full(len(free), -1), np.ones(len(free)))
    return _with_probabilities(solution, Joint(picks, local_rates(picks, len(channels), free, length), channels, rules))


def births(picks: Arrivals, rate: Floats, channels: Channels, nodes: Grid, rules: Rules, threads: int) -> Events:
    """New events of free picks: candidates in the order of their evidence, of which none takes a pick of another."""
    if len(picks.time) < rules.least:
        return Events(np.zeros((0, 3)), np.zeros(0), np.zeros(0, int))
    found, _ = candidates(picks, rate, channels, nodes, rules, threads)
    widest = 2 * float(nodes.blur.max())
    widths = widest * SHRINKING ** np.arange(1 + max(1, int(np.ceil(np.log(picks.sigma.min() / widest) / np.log(SHRINKING)))))
    fitted = refine(found, Free(picks, rate), channels, rules, np.append(widths, [0.0, 0.0]))
    return fitted.events.of(_independent(fitted, len(picks.time), rules))


def _independent(fitted: Fitted, n_picks: int, rules: Rules) -> Ints:
    """Candidates with evidence, the strongest first, most of whose picks no stronger one has."""
    taken, chosen = np.zeros(n_picks, bool), []
    for i in np.argsort(-fitted.evidence, kind="stable"):
        if fitted.evidence[i] <= 0:
            break
        own = fitted.pick[i][fitted.pick[i] >= 0]
        if len(own) >= rules.least and taken[own].sum() <= 0.3 * len(own):
            taken[own] = True
            chosen.append(i)
    return np.array(chosen, dtype=int)


def _with_probabilities(solution: Solution, joint: Joint) -> Association:
    n = len(joint.picks.time)
    owner, own = solution.owner(n), np.zeros(n)
    first, pick, probability = joint.matching(solution.arrived).probabilities()
    event = np.repeat(solution.arrived.event, np.diff(first))
    taken = np.bincount(pick, probability, minlength=n)
    mine = event == owner[pick]
    own[pick[mine]] = probability[mine]
    return Association(solution.events, solution.evidence, owner, np.where(owner >= 0, own, 1 - taken))


def region_volume(rules: Rules) -> float:
    """Volume of the region, km^3."""
    return float(np.prod(rules.upper - rules.lower))


Chosen = NDArray[np.bool_]
