"""Picks before all possible origins: one that no hypocentre in the region explains with the other picks is a fault.

The origin is at least the shortest travel time from the region to the station before a pick, and at most the longest. A pick
whose latest origin is before the earliest origins of more than half of the others is not of this event, or its time is wrong. A
late pick does not condemn good ones, as its earliest origin is one of few.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vip.forward.earthquakes.picks import Fault, Picks
from vip.forward.earthquakes.traveltimes.tables import Box
from vip.kernels_c.timetables import TimeTables
from vip.protocols import Floats

SIGMAS = 5.0
"""Number of standard deviations, of a pick and of its predicted time, by which it must be early."""
NODES = 9
"""Number of places along each axis of the region at which travel times are compared."""
AT_ONCE = 200_000
"""Number of travel times evaluated together."""


def shortest_and_longest(tables: TimeTables, box: Box) -> tuple[Floats, Floats]:
    """Travel times (n_tables,), s, from the nearest and from the furthest places of a region.

    The nearest are below one point of the map, at any depth; the furthest may be anywhere, but as times grow with distance, few
    places suffice to find them.
    """
    n_tables = len(tables.places)
    near = np.repeat(np.clip(tables.places, box.lower, box.upper)[None], NODES + 1, axis=0)
    near[1:, :, 2] = np.linspace(box.lower[2], box.upper[2], NODES)[:, None]
    shortest = tables.evaluate(near, np.arange(n_tables), np.arange(n_tables))[0].min(axis=0)
    nodes = np.linspace(box.lower, box.upper, NODES).T
    anywhere = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    pieces = np.array_split(np.arange(n_tables), -(-n_tables * len(anywhere) // AT_ONCE))
    longest = [tables.evaluate(anywhere, np.zeros_like(piece), piece)[0].max(axis=0) for piece in pieces]
    return shortest, np.concatenate(longest)


def early_by(picks: Picks, shortest: Floats, longest: Floats) -> Floats:
    """Time (n,), s, from each pick's latest origin until more than half of its event's other picks have their earliest.

    It is negative where the pick agrees with half of them or more.

    Parameters
    ----------
    picks : Picks
    shortest, longest : (n,) float
        Travel times of each pick, s.
    """
    event, earliest = picks.event(), picks.time - longest
    ordered = earliest[np.lexsort((earliest, event))]
    middle = ordered[picks.start[:-1] + np.diff(picks.start) // 2]  # a pick is never after itself: it need not be left out
    early: Floats = middle[event] - (picks.time - shortest)
    return early


def early_faults(picks: Picks, stations: Sequence[str], early: Floats, sigma: Floats, file: Path) -> list[Fault]:
    """The earliest pick of each event that has one, from what `early_by` gives and standard deviations (n,), s."""
    wrong = np.flatnonzero(early > SIGMAS * sigma)
    event = picks.event()[wrong]
    worst = wrong[np.lexsort((-early[wrong], event))]
    first = worst[np.unique(event, return_index=True)[1]]
    return [
        Fault(
            picks.events[number],
            f"{file}, {picks.source[i]}",
            f"station {stations[picks.station[i]]!r}, phase {str(picks.phase[i])!r}: {early[i]:.3g} s before any origin in the "
            "region that fits most of the other picks; check its time, or leave this pick out",
        )
        for i, number in zip(first, picks.event()[first], strict=True)
    ]
