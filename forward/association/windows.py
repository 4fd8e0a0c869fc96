"""A long record in windows: the same windows, whatever the pieces in which picks come, and so the same events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from vip.forward.association.associate import Association, associate
from vip.forward.association.channels import Arrivals, Channels
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
    events: Association
    """Events that began in it, and their picks, by their index in the whole record."""


def windows(
    picks: Arrivals,
    channels: Channels,
    nodes: Grid,
    rules: Rules,
    threads: int = 1,
    done: int | None = None,
    taken: np.ndarray | None = None,
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
        kept = (found.events.time >= start - SLACK) & (found.events.time < end)
        window = _kept(found, kept, seen, len(picks.time))
        taken |= window.event >= 0
        yield Window(int(number), window)


def whole(
    picks: Arrivals,
    channels: Channels,
    nodes: Grid,
    rules: Rules,
    threads: int = 1,
    tell: Callable[[Window], None] = lambda window: None,
) -> Association:
    """Associate a whole record; `tell` is called after each window."""
    parts = []
    for window in windows(picks, channels, nodes, rules, threads):
        parts.append(window.events)
        tell(window)
    return joined(parts, len(picks.time))


def joined(parts: list[Association], n_picks: int) -> Association:
    """The events of several windows, with their picks."""
    events, evidence = Events.none(), np.zeros(0)
    event, probability, in_none = np.full(n_picks, -1), np.zeros(n_picks), np.ones(n_picks)
    for part in parts:
        own = part.event >= 0
        event[own], probability[own] = part.event[own] + len(events.time), part.probability[own]
        seen = ~own & (part.probability < 1)
        in_none[seen] *= part.probability[seen]
        events, evidence = events.and_(part.events), np.append(evidence, part.evidence)
    return Association(events, evidence, event, np.where(event >= 0, probability, in_none))


def _kept(found: Association, kept: np.ndarray, seen: np.ndarray, n_picks: int) -> Association:
    """Some of the events, with the picks' indices in the whole record."""
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    event, probability = np.full(n_picks, -1), np.ones(n_picks)
    own = np.append(number, -1)[found.event]
    event[seen] = own
    probability[seen] = np.where((own >= 0) | (found.event < 0), found.probability, 1.0)
    return Association(found.events.of(kept), found.evidence[kept], event, probability)
