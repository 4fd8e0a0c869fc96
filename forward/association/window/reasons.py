"""Why a pick is of no event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vip.forward.association.window.associate import Association
from vip.forward.association.window.channels import Arrivals, Channels, Ints, within
from vip.protocols import Floats

NEAR = 5.0
"""Distance in time, in standard deviations, within which an arrival might be the pick's."""
FAR = 600.0
"""Distance in time, s, beyond which no arrival is named."""
NO_EVENT, ANOTHER, UNREACHED, CHANCE = (
    "no event within reach",
    "another pick fits better",
    "the event is not seen so far away",
    "chance explains it as well",
)
REJECTED = "event rejected"
"""Kinds of reasons, with which each begins."""
WRONG, WEIGHTLESS, LATE = "wrong row", "weight of 0", "came too late"
"""Kinds of reasons of rows that are no picks, or that were not looked at."""
WAITING = "waits for later picks"
"""Reason of a pick that may still become one of an event."""


class Nearest(NamedTuple):
    """The arrival nearest to each of some picks."""

    event: Ints
    apart: Floats
    """Time from the arrival to the pick, s."""


def reasons(
    picks: Arrivals, channels: Channels, found: Association, events: Sequence[str], identifiers: Sequence[str], least: int
) -> list[str]:
    """Reason for each pick (n,) that has no event; empty for the others.

    Parameters
    ----------
    picks : Arrivals
    channels : Channels
    found : Association
    events : sequence of str
        Name of each event.
    identifiers : sequence of str
        Identifier of each pick.
    least : int
        Least number of picks of an event.
    """
    why = [f"{REJECTED}: {few} picks, {least} needed" if few else "" for few in found.too_few]
    left = np.flatnonzero((found.event < 0) & (found.too_few == 0))
    if not len(events):
        return [text or f"{NO_EVENT}: none within {FAR:g} s" for text in why]
    nearest = _nearest(picks.of(left), channels, found)
    holder = _holders(picks, channels, found)
    seen = within(found.events.reach, channels.nearest_first(found.events.x))
    for pick, event, apart in zip(left, *nearest, strict=True):
        channel, name = picks.channel[pick], f"event {events[event]}"
        off = f"{abs(apart):.2f} s {'after' if apart > 0 else 'before'} its arrival"
        if abs(apart) > FAR:
            why[pick] = f"{NO_EVENT}: none within {FAR:g} s"
        elif abs(apart) > NEAR * picks.sigma[pick]:
            why[pick] = f"{NO_EVENT}: the nearest is {name}, {off}"
        elif holder[event, channel] >= 0:
            why[pick] = f"{ANOTHER}: {identifiers[holder[event, channel]]} is of {name}; this one is {off}"
        elif not seen[event, channel]:
            why[pick] = f"{UNREACHED}: {name}, {off}"
        else:
            why[pick] = f"{CHANCE}: {name}, {off}"
    return why


def _nearest(picks: Arrivals, channels: Channels, found: Association) -> Nearest:
    time, _ = channels.travel_times(found.events.x)
    predicted = found.events.time[:, None] + time
    event, apart = np.empty(len(picks.time), int), np.empty(len(picks.time))
    starts = channels.starts(picks.channel)
    for channel in range(len(channels)):
        own = slice(starts[channel], starts[channel + 1])
        order = np.argsort(predicted[:, channel], kind="stable")
        times = predicted[order, channel]
        after = np.searchsorted(times, picks.time[own]).clip(1, max(len(times) - 1, 1))
        ends = np.stack([after - 1, np.minimum(after, len(times) - 1)])
        off = picks.time[own] - times[ends]
        best = np.abs(off).argmin(axis=0), np.arange(off.shape[1])
        event[own], apart[own] = order[ends[best]], off[best]
    return Nearest(event, apart)


def _holders(picks: Arrivals, channels: Channels, found: Association) -> Ints:
    """Pick (n_events, n_channels) of each event at each channel, -1 where it has none."""
    holder = np.full((len(found.events.time), len(channels)), -1)
    own = np.flatnonzero(found.event >= 0)
    holder[found.event[own], picks.channel[own]] = own
    return holder
