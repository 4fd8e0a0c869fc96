"""How often picks come by chance: the rate of picks of a channel near a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.window.channels import Arrivals, Channels
from vip.protocols import Floats

LOCAL = 60.0
"""Half width of the time over which the rate is averaged, s."""
SHORTEST = 1.0
"""Least length of a record, s, over which a rate is taken."""


def local_rates(picks: Arrivals, channels: Channels, unexplained: NDArray[np.bool_], length: float) -> Floats:
    """Rate (n,), 1/s, of unexplained picks in the channel of each pick, around its time.

    One pick more than are there is counted, spread over the record of `length` seconds, so that no rate is zero.
    """
    rates, width = np.empty(len(picks.time)), min(2 * LOCAL, max(length, SHORTEST))
    starts = channels.starts(picks.channel)
    for c in range(len(channels)):
        own = slice(starts[c], starts[c + 1])
        time, others = picks.time[own], picks.time[own][unexplained[own]]
        near = np.searchsorted(others, time + LOCAL) - np.searchsorted(others, time - LOCAL)
        rates[own] = near / width + 1 / max(length, width)
    return rates
