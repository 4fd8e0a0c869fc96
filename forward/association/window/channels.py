"""Channels: a station and a phase each, and the times at which waves arrive there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.kernels_c.timetables import TimeTables
from vip.protocols import Floats

Ints = NDArray[np.intp]


class Channels(NamedTuple):
    """Stations' phases, each with a table of travel times."""

    station: Ints
    """Station of each channel (n_channels,)."""
    phase: NDArray[np.str_]
    """Phase of each channel (n_channels,), "P" or "S"."""
    place: Floats
    """X, y and depth of the station of each channel (n_channels, 3), km."""
    tables: TimeTables
    """A table for each channel."""
    correction: Floats
    """Correction (n_channels,) that is added to travel times, s."""

    def __len__(self) -> int:
        return len(self.phase)

    def travel_times(self, x: Floats) -> tuple[Floats, Floats]:
        """Travel times (n, n_channels), s, from places x (n, 3), km, and their gradients (n, n_channels, 3), s/km."""
        n = len(self.phase)
        time, gradient = self.tables.evaluate(x[:, None], np.zeros(n, int), np.arange(n))
        return time + self.correction, np.moveaxis(gradient, 0, 2)

    def nearest_first(self, x: Floats) -> Ints:
        """Channels (n, n_channels) in the order of their stations' distances from places x (n, 3), P before S."""
        distance = np.linalg.norm(x[:, None] - self.place, axis=2)
        key = distance + 1e-9 * (self.phase == "S") * (1 + distance)
        return np.argsort(key, axis=1, kind="stable")

    def starts(self, channel: Ints) -> Ints:
        """Index of the first entry of each channel in a sorted list of channels (n,), and n at the end."""
        return np.searchsorted(channel, np.arange(len(self) + 1))


def within(reach: Ints, order: Ints) -> NDArray[np.bool_]:
    """Whether each channel (n, n_channels) is one of the first `reach` (n,) in an order (n, n_channels) of channels."""
    inside = np.empty(order.shape, bool)
    np.put_along_axis(inside, order, np.arange(order.shape[1]) < reach[:, None], axis=1)
    return inside


class Arrivals(NamedTuple):
    """Picks, sorted by channel and then by time."""

    channel: Ints
    """Channel of each pick (n,)."""
    time: Floats
    """Times (n,), s."""
    sigma: Floats
    """Standard deviations (n,), s."""
    log_weight: Floats
    """Logarithm (n,) of how much likelier than others a pick is to be a wave of an earthquake."""

    def of(self, chosen: NDArray[np.bool_] | Ints) -> Arrivals:
        """Some of the picks."""
        return Arrivals(self.channel[chosen], self.time[chosen], self.sigma[chosen], self.log_weight[chosen])
