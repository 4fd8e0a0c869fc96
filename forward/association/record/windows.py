"""A long record in windows: the same windows, whatever the pieces in which picks come, and so the same events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.window.associate import Association, associate_and_tell
from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.association.window.fit import Events, Rules
from vip.forward.association.window.search import Grid
from vip.protocols import Floats

LENGTH = 600.0
"""Length of a window, s; windows begin at multiples of it."""
SLACK = 2.0
"""Time, s, by which an event at the edge of two windows may be earlier in the second than in the first."""


PART = 100_000
"""Number of picks that are looked at together, where there may be many millions."""


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
    taken = np.zeros(len(picks.time), bool) if taken is None else taken.copy()
    edges = margin(nodes)
    for number in numbers(picks.time, edges):
        if done is not None and number <= done:
            continue
        first, last = sees(number, edges)
        seen = np.flatnonzero((picks.time >= first) & (picks.time < last) & ~taken)
        found = associated(number, picks.of(seen), channels, nodes, rules, threads)
        taken[seen[found.event >= 0]] = True
        yield Window(number, seen, found)


def margin(nodes: Grid) -> float:
    """Time, s, for which a window sees picks before its beginning, and half of that for which it does after its end."""
    return float(nodes.delay.max()) + SLACK


def numbers(time: Floats, margin: float) -> list[int]:
    """Numbers of the windows in which events of picks with these times (n,), s, may begin."""
    found = set[int]()
    for first in range(0, len(time), PART):
        part = time[first : first + PART]
        found.update(np.unique(np.floor_divide(np.concatenate([part, part - margin]), LENGTH).astype(int)).tolist())
    return sorted(found)


def sees(number: int, margin: float) -> tuple[float, float]:
    """First time, s, of picks that a window sees, and the time from which on it sees none."""
    return number * LENGTH - margin, (number + 1) * LENGTH + 2 * margin


def associated(number: int, picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, threads: int) -> Association:
    """The events that begin in a window, from the picks that it sees."""
    found = associate_and_tell(picks, channels, nodes, rules, threads)
    start, end = number * LENGTH, (number + 1) * LENGTH
    return only(found, (found.events.time >= start - SLACK) & (found.events.time < end))


def whole(picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, threads: int = 1) -> Association:
    """Associate a whole record."""
    return joined(windows(picks, channels, nodes, rules, threads), len(picks.time))


def joined(parts: Iterable[Window], n_picks: int) -> Association:
    """The events of several windows, and the event of each pick of the record."""
    events, evidence = Events.none(), np.zeros(0)
    event, probability, of_none = np.full(n_picks, -1), np.zeros(n_picks), np.ones(n_picks)
    too_few = np.zeros(n_picks, int)
    for _, pick, found in parts:
        own = found.event >= 0
        event[pick[own]] = found.event[own] + len(events.time)
        probability[pick[own]] = found.probability[own]
        of_none[pick[~own]] *= found.probability[~own]
        too_few[pick] = np.maximum(too_few[pick], found.too_few)
        events, evidence = events.and_(found.events), np.append(evidence, found.evidence)
    return Association(events, evidence, event, np.where(event >= 0, probability, of_none), np.where(event >= 0, 0, too_few))


def only(found: Association, kept: NDArray[np.bool_]) -> Association:
    """Some of the events; picks of the others are of none."""
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    event = number[found.event]
    probability = np.where((event >= 0) | (found.event < 0), found.probability, 1.0)
    return Association(found.events.of(kept), found.evidence[kept], event, probability, found.too_few)
