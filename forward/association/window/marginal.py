"""Log-likelihood of hypocentres whose picks are not known: a sum over all ways to give picks to events.

Each pick of a channel is a wave of one of the events or comes by chance, and each event has at most one pick of a channel. The
sum over all such matchings is exact, and so is its gradient: the mean of the gradients of the matchings by their probabilities.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.association.window.fit import Rules
from vip.forward.association.window.joint import Joint, sums
from vip.kernels_c.matching import Matching
from vip.protocols import Floats

REACH = 30.0
"""Pairs with a gain of less than minus this are left out: what they add is as small as a rounding error."""
LIKELY = 0.01
"""Probability of a pick to be of an event, above which the two are dependent."""
AT_ONCE = 50_000
"""Number of arrivals that are treated at once, such that arrays fit into the cache and calls are few."""


class Pairs(NamedTuple):
    """Arrivals of some models and picks that may belong together."""

    model: Ints
    event: Ints
    pick: Ints
    jacobian: Floats
    """Derivatives (n, 4) of the arrival times by x, y, depth and origin time."""
    residual: Floats
    """Time of the pick after that of the arrival (n,), s."""
    sigma: Floats
    """Standard deviation of the pick (n,), s."""
    probability: Floats


class Marginal:
    """Log-likelihood of the places and times of some events, over that of chance alone.

    Parameters
    ----------
    picks : Arrivals
    log_rate : (n_picks,) float
        Logarithm of the rate of chance picks, 1/s.
    channels : Channels
    rules : Rules
    seen : (n_events, n_channels) bool
        Whether each channel is within reach of each event. It does not change with the event's place, so that the
        log-likelihood is smooth.
    """

    def __init__(self, picks: Arrivals, log_rate: Floats, channels: Channels, rules: Rules, seen: NDArray[np.bool_]) -> None:
        self.joint = Joint(picks, log_rate, channels, rules)
        self.channel, self.event = np.nonzero(seen.T)
        self.missed = len(self.event) * rules.missed

    def __call__(self, x: Floats, time: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) of places (n, n_events, 3), km, and origin times (n, n_events), s; gradient (n, n_events, 4)."""
        n = max(1, AT_ONCE // len(self.event))
        if len(x) > n:
            return self._in_parts(x, time, n)
        try:
            value, pairs = self._summed(x, time)
        except OverflowError:  # pairs are left out of a model that is too crowded, but not of those beside it
            return self._in_parts(x, time, 1)
        gradient = np.zeros((*time.shape, 4))
        pull = pairs.probability * pairs.residual / pairs.sigma**2
        np.add.at(gradient, (pairs.model, pairs.event), pull[:, None] * pairs.jacobian)
        return value, gradient

    def information(self, x: Floats, time: Floats) -> Floats:
        """Expected curvature (n_events, 4, 4) of minus the log-likelihood at places (n_events, 3) and times (n_events,)."""
        _, pairs = self._summed(x[None], time[None])
        information = np.zeros((len(time), 4, 4))
        weight = pairs.probability / pairs.sigma**2
        np.add.at(information, pairs.event, weight[:, None, None] * pairs.jacobian[:, :, None] * pairs.jacobian[:, None])
        return information

    def groups(self, x: Floats, time: Floats) -> Ints:
        """Group (n_events,) of events at places (n_events, 3) and times (n_events,): no other group wants its picks."""
        _, pairs = self._summed(x[None], time[None])
        likely = pairs.probability > LIKELY
        n_events, n_picks = len(time), len(self.joint.picks.time)
        ends = pairs.event[likely], n_events + pairs.pick[likely]
        graph = sp.coo_array((np.ones(likely.sum()), ends), shape=(n_events + n_picks,) * 2)
        label: Ints = connected_components(graph, directed=False)[1][:n_events]
        return label

    def _in_parts(self, x: Floats, time: Floats, n: int) -> tuple[Floats, Floats]:
        """Log-likelihoods and gradients of n models at once."""
        parts = [self(x[first : first + n], time[first : first + n]) for first in range(0, len(x), n)]
        return np.concatenate([value for value, _ in parts]), np.concatenate([gradient for _, gradient in parts])

    def _summed(self, x: Floats, time: Floats) -> tuple[Floats, Pairs]:
        """Log-likelihoods (n,) of a few models, and the probability of every pair of an arrival and a pick."""
        n, channels, picks = len(x), self.joint.channels, self.joint.picks
        travel, by_place = channels.travel_times(x.reshape(-1, 3))
        shape = (*time.shape, len(channels))
        predicted = (time[:, :, None] + travel.reshape(shape))[:, self.event, self.channel].ravel()
        # The channels of each model are channels of their own.
        channel = (np.arange(n)[:, None] * len(channels) + self.channel).ravel()
        order = np.lexsort((predicted, channel))
        first, pick, probability, log_sum = self._sums(n, predicted[order], channel[order])
        arrival = order[np.repeat(np.arange(len(order)), np.diff(first))]
        pick %= len(picks.time)
        model, own = np.divmod(arrival, len(self.event))
        event, channel = self.event[own], self.channel[own]
        jacobian = np.ones((len(arrival), 4))
        jacobian[:, :3] = by_place.reshape(*shape, 3)[model, event, channel]
        pairs = Pairs(model, event, pick, jacobian, picks.time[pick] - predicted[arrival], picks.sigma[pick], probability)
        return log_sum.reshape(n, -1).sum(axis=1) + self.missed, pairs

    def _sums(self, n: int, predicted: Floats, channel: Ints) -> tuple[Ints, Ints, Floats, Floats]:
        """Sums over all matchings of the sorted arrivals of n models with the picks, of which each model has a copy."""
        joint, picks, channels = self.joint, self.joint.picks, self.joint.channels
        starts = np.searchsorted(channel, np.arange(n * len(channels) + 1))
        first_pick = np.append(np.arange(n)[:, None] * len(picks.time) + joint.first_pick[:-1], n * len(picks.time))
        gain = np.full(len(predicted), joint.rules.log_odds)
        matching = Matching(
            starts, first_pick, predicted, gain, np.tile(picks.time, n), np.tile(joint.gain, n), np.tile(picks.sigma, n)
        )
        return sums(matching, REACH) if n == 1 else matching.sums(REACH)
