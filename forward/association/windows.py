"""A long record in windows: the same windows, whatever the pieces in which picks come, and so the same events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.associate import Association, associate
from vip.forward.association.channels import Arrivals, Channels, Ints
from vip.forward.association.fit import Events, Rules
from vip.forward.association.search import Grid

LENGTH = 600.0
"""Length of a window, s; windows begin at multiples of it."""
SLACK = 2.0
"""Time, s, by which an event at the edge of two windows may be earlier in the second than in the first."""


class Window(NamedTuple):
    """What was found in one window."""

    number: int
    """Number of the window: it begins at `number` times its length."""
    pick: Ints
    """Index in the record of each pick (n,) that the window saw."""
    found: Association
    """Events that began in it, and the event of each of these picks."""


def windows(
    picks: Arrivals,
    channels: Channels,
    nodes: Grid,
    rules: Rules,
    threads: int = 1,
    done: int | None = None,
    taken: NDArray[np.bool_] | None = None,
) -> Iterator[Window]:
    """Associate a record window by window, in the order of time.

    A window sees picks beyond its ends, as far as waves of its events may arrive, but not those that earlier windows took.

    Parameters
    ----------
    picks : Arrivals
        The record, or at least from the window after `done` on with the margins of it.
    done : int, optional
        Number of the last window that was done before; what comes after it is found as if all had been done at once.
    taken : (n,) bool, optional
        Picks that windows before have taken.
    """
    margin = float(nodes.delay.max()) + SLACK
    taken = np.zeros(len(picks.time), bool) if taken is None else taken.copy()
    numbers = np.unique(np.floor_divide(np.concatenate([picks.time, picks.time - margin]), LENGTH).astype(int))
    for number in numbers:
        if done is not None and number <= done:
            continue
        start, end = number * LENGTH, (number + 1) * LENGTH
        seen = np.flatnonzero((picks.time >= start - margin) & (picks.time < end + 2 * margin) & ~taken)
        found = associate(picks.of(seen), channels, nodes, rules, threads)
        found = _kept(found, (found.events.time >= start - SLACK) & (found.events.time < end))
        taken[seen[found.event >= 0]] = True
        yield Window(int(number), seen, found)


def whole(picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, threads: int = 1) -> Association:
    """Associate a whole record."""
    return joined(windows(picks, channels, nodes, rules, threads), len(picks.time))


def joined(parts: Iterable[Window], n_picks: int) -> Association:
    """The events of several windows, and the event of each pick of the record."""
    events, evidence = Events.none(), np.zeros(0)
    event, probability, of_none = np.full(n_picks, -1), np.zeros(n_picks), np.ones(n_picks)
    for _, pick, found in parts:
        own = found.event >= 0
        event[pick[own]] = found.event[own] + len(events.time)
        probability[pick[own]] = found.probability[own]
        of_none[pick[~own]] *= found.probability[~own]
        events, evidence = events.and_(found.events), np.append(evidence, found.evidence)
    return Association(events, evidence, event, np.where(event >= 0, probability, of_none))


def _kept(found: Association, kept: NDArray[np.bool_]) -> Association:
    """Some of the events; picks of the others are of none."""
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    event = number[found.event]
    probability = np.where((event >= 0) | (found.event < 0), found.probability, 1.0)
    return Association(found.events.of(kept), found.evidence[kept], event, probability)
