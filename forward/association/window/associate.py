"""Association of a record of picks: births, a joint fit, deaths, until nothing changes; then probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.forward.association.window.chance import LOCAL, local_rates
from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.association.window.fit import Events, Fitted, Free, Rules, refine
from vip.forward.association.window.joint import Joint, Solution
from vip.forward.association.window.search import Grid, candidates, united
from vip.protocols import Floats

MOST_ROUNDS = 20
"""Rounds of births."""
IMPROVED = 1e-3
"""Least gain of log-odds for which a change is made."""
DOUBT = 0.05
"""Expected share of an event's picks that are wrong or missing, above which it is doubtful."""
RIVALS = 3
"""Number of rivals with which a doubtful event dies."""
FEW = 4
"""Number of picks from which on a place and a time can be found, so that fewer than are asked may be told of."""
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
    too_few: Ints
    """Number of picks (n,) of the likely event that a pick without an event is of, if these are too few for one and were
    looked for; else 0."""


def associate(picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, threads: int = 1) -> Association:
    """Find the events of a record, and the picks of each.

    Parameters
    ----------
    picks : Arrivals
    channels : Channels
    nodes : Grid
        Events are sought on its coarser one first, if it has one, and on its finer one in the end, where picks are left.
    rules : Rules
    threads : int
        Does not change the result.
    """
    return _with_probabilities(*solved(picks, channels, nodes, rules, threads))


def associate_and_tell(picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, threads: int = 1) -> Association:
    """The same as `associate`, which also tells of likely events that have too few picks."""
    solution, joint = solved(picks, channels, nodes, rules, threads)
    return _with_probabilities(solution, joint)._replace(too_few=_too_few(solution, joint, nodes, threads))


def solved(picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, threads: int = 1) -> tuple[Solution, Joint]:
    """Events that are grown and reborn until no other set is better, and the picks as they are then; see `associate`."""
    solution = Solution.empty()
    if nodes.coarser is not None:
        solution, _ = grown(solution, picks, channels, nodes.coarser, rules, threads)
    solution, joint = grown(solution, picks, channels, nodes, rules, threads)
    # Trials are many, and an event is fitted to its picks whatever node it comes from: the coarser grid will do.
    solution = joint.at_best_depths(reborn(solution, joint, nodes.coarser or nodes, threads))
    if nodes.finer is None or _is_sure(solution, joint):
        return solution, joint
    starts = solution, Solution.empty()  # events that are wrong may hold the picks of others
    found = []
    for start in starts:
        solution, joint = grown(start, picks, channels, nodes.finer(), rules, threads)
        found.append((joint.at_best_depths(reborn(solution, joint, nodes, threads)), joint))
    return max(found, key=lambda each: float(each[0].evidence.sum()))


def _is_sure(solution: Solution, joint: Joint) -> bool:
    """Whether too few picks for an event are left, and nearly all others are surely where they are."""
    found = _with_probabilities(solution, joint)
    own = found.event >= 0
    return bool((~own).sum() < joint.rules.least and (1 - found.probability[own]).mean() < DOUBT)


def grown(
    solution: Solution, picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, threads: int
) -> tuple[Solution, Joint]:
    """The solution after rounds of births and joint fits, until there are no more events; and the picks as they are then."""
    length = float(np.ptp(picks.time)) if len(picks.time) else 0.0
    free = solution.owner(len(picks.time)) < 0
    changed = np.ones(len(picks.time), bool)
    for _ in range(MOST_ROUNDS):
        log_rate = np.log(local_rates(picks, channels, free, length))
        spans = _affected(picks.time[changed], nodes)
        born = births(picks.of(free), log_rate[free], channels, nodes, rules, spans, threads)
        joint, before, were_free = Joint(picks, log_rate, channels, rules), len(solution.events.time), free
        solution = joint.solve(solution.events.and_(born))
        free = solution.owner(len(free)) < 0
        changed = free != were_free
        if len(solution.events.time) <= before:
            break
    return solution, Joint(picks, np.log(local_rates(picks, channels, free, length)), channels, rules)


def _affected(time: Floats, nodes: Grid) -> Floats:
    """Origin times (n_spans, 2), s, of events for which it matters whether picks at some times (n,) are free.

    The picks themselves may be theirs, and the chance rate of picks near to them changes.
    """
    if not len(time):
        return np.zeros((0, 2))
    return united(np.stack([time - LOCAL - nodes.delay.max(), time + LOCAL], axis=1))


def reborn(solution: Solution, joint: Joint, nodes: Grid, threads: int) -> Solution:
    """The solution after doubtful events, alone and with their rivals, have died and others were born, where that is better.

    A fit is a minimum only among sets of events that differ by their places; which picks an event was born from matters. Each
    trial has the picks of the events that died and those of none.
    """
    solution, tried = joint.solve(solution.events), set()
    while True:
        for death in _deaths(solution, joint):
            key = tuple(np.sort(np.round(solution.events.time[list(death)], 3)))
            if key in tried:
                continue
            tried.add(key)
            events = _trial(solution, np.array(death), joint, nodes, threads)
            if events is None:
                continue
            found = joint.solve(events)
            if found.evidence.sum() > solution.evidence.sum() + IMPROVED:
                solution = found
                break
        else:
            return solution


def _deaths(solution: Solution, joint: Joint) -> list[tuple[int, ...]]:
    """Events that may be wrong, the most doubtful first: each alone, then with each of its rivals for picks."""
    rivalry = joint.rivalry(solution)
    matched = solution.arrived.event[solution.match >= 0]
    doubt = (rivalry.sum(axis=1) + joint.missing(solution)) / np.maximum(np.bincount(matched, minlength=len(rivalry)), 1)
    order = [int(i) for i in np.argsort(-doubt, kind="stable") if doubt[i] > DOUBT]
    pairs = [
        (i, int(j))
        for i in order
        for j in np.argsort(-rivalry[i], kind="stable")[:RIVALS]
        if rivalry[i, j] > 0 or doubt[j] > DOUBT
    ]
    return [(i,) for i in order] + [pair for pair in pairs if pair[0] != pair[1]]


def _trial(solution: Solution, death: Ints, joint: Joint, nodes: Grid, threads: int) -> Events | None:
    """All events, if it is better that some die and others are born of their picks; only what is near in time is looked at."""
    events, span = solution.events, float(nodes.delay.max())
    first, last = events.time[death].min() - span, events.time[death].max() + span
    near = (events.time >= first) & (events.time <= last)
    owner = solution.owner(len(joint.picks.time))
    of_none, of_dead = owner < 0, np.isin(owner, death)
    local = (joint.picks.time >= first) & (joint.picks.time <= last + span) & (of_none | near[owner])
    kept = near.copy()
    kept[death] = False
    free = local & (of_none | of_dead)
    spans = np.array([[first, joint.picks.time[of_dead].max()]])  # what begins later has none of the picks that are now free
    born = births(joint.picks.of(free), joint.log_rate[free], joint.channels, nodes, joint.rules, spans, threads)
    found = joint.of(local).solve(events.of(kept).and_(born))
    if found.evidence.sum() <= solution.evidence[near].sum() + IMPROVED:
        return None
    return events.of(~near).and_(found.events)


def births(
    picks: Arrivals, log_rate: Floats, channels: Channels, nodes: Grid, rules: Rules, spans: Floats, threads: int
) -> Events:
    """New events of free picks within spans of time, the strongest first, of which none takes a pick of another."""
    if len(picks.time) < rules.least:
        return Events.none()
    found = candidates(picks, log_rate, channels, nodes, rules, spans, threads)
    if not len(found.time):
        return found
    widest = 2 * float(nodes.blur.max())
    widths = widest * SHRINKING ** np.arange(1 + max(1, int(np.ceil(np.log(picks.sigma.min() / widest) / np.log(SHRINKING)))))
    fitted = refine(found, Free(picks, log_rate), channels, rules, np.append(widths, [0.0, 0.0]))
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
    event, pick, probability = joint.probabilities(solution.arrived)
    taken = np.bincount(pick, probability, minlength=n)
    mine = event == owner[pick]
    own[pick[mine]] = probability[mine]
    return Association(solution.events, solution.evidence, owner, np.where(owner >= 0, own, 1 - taken), np.zeros(n, int))


def _too_few(solution: Solution, joint: Joint, nodes: Grid, threads: int) -> Ints:
    """Number of picks of the event that each free pick (n,) would be of if fewer picks made one; 0 if it would be of none."""
    few = np.zeros(len(joint.picks.time), int)
    free = solution.owner(len(few)) < 0
    left, rules = joint.of(free), joint.rules._replace(least=FEW)
    spans = _affected(left.picks.time, nodes)
    born = births(left.picks, left.log_rate, joint.channels, nodes.coarser or nodes, rules, spans, threads)
    rejected = Joint(left.picks, left.log_rate, joint.channels, rules).solve(born)
    owner = rejected.owner(len(left.picks.time))
    count = np.append(np.bincount(owner[owner >= 0], minlength=len(rejected.events.time)), 0)
    few[free] = np.where(count < joint.rules.least, count, 0)[owner]
    return few
