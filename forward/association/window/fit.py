"""Events near to which picks are: Gauss-Newton of many at once, with a width that shrinks, and their evidence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.window.channels import Arrivals, Channels, Ints, within
from vip.protocols import Floats

LOG_2PI = float(np.log(2 * np.pi))


class Rules(NamedTuple):
    """What is assumed of events and of their picks."""

    lower: Floats
    """Lower corner (3,) of the region: x, y and depth, km."""
    upper: Floats
    detection: float
    """Probability that a wave is picked where the event is within reach of the station."""
    density: float
    """Events that are expected, 1/(km^3 s)."""
    least: int
    """Least number of picks of an event."""

    @property
    def log_odds(self) -> float:
        """Log-odds of a wave to be picked."""
        return float(np.log(self.detection / (1 - self.detection)))

    @property
    def volume(self) -> float:
        """Volume of the region, km^3."""
        return float(np.prod(self.upper - self.lower))

    @property
    def prior(self) -> Floats:
        """Precision (4, 4) of x, y, depth and origin time: half of the region is a standard deviation, time is all but free."""
        return np.diag(np.append(1 / ((self.upper - self.lower) / 2) ** 2, 1e-8))

    @property
    def missed(self) -> float:
        """Logarithm of the probability that it is not."""
        return float(np.log1p(-self.detection))


class Events(NamedTuple):
    """Hypocentres and origin times, and up to which of its channels, the nearest first, each event is seen."""

    x: Floats
    """X, y and depth (n, 3), km."""
    time: Floats
    """Origin times (n,), s."""
    reach: Ints
    """Number of nearest channels (n,) within reach."""

    @classmethod
    def none(cls) -> Events:
        """No events."""
        return cls(np.zeros((0, 3)), np.zeros(0), np.zeros(0, int))

    def of(self, chosen: NDArray[np.bool_] | Ints) -> Events:
        """Some of the events."""
        return Events(self.x[chosen], self.time[chosen], self.reach[chosen])

    def and_(self, others: Events) -> Events:
        """These events, and then others."""
        return Events(
            np.concatenate([self.x, others.x]),
            np.concatenate([self.time, others.time]),
            np.concatenate([self.reach, others.reach]),
        )


class Free:
    """Picks that an event may have, to be looked up by channel and time.

    Parameters
    ----------
    picks : Arrivals
    log_rate : (n,) float
        Logarithm of the rate of chance picks, 1/s.
    """

    def __init__(self, picks: Arrivals, log_rate: Floats) -> None:
        self.picks, self.log_rate = picks, log_rate
        self.first = picks.time.min() - 1e3 if len(picks.time) else 0.0
        self.span = (picks.time.max() if len(picks.time) else 0.0) - self.first + 1e3
        self._key = picks.channel * self.span + (picks.time - self.first)

    def nearest(self, predicted: Floats, channel: Ints) -> Ints:
        """Index of the pick nearest to each predicted time, of its channel; of another channel where it has none near."""
        key = channel * self.span + np.clip(predicted - self.first, 0, self.span)
        after = np.searchsorted(self._key, key).clip(1, len(self._key) - 1)
        before = after - 1
        nearest: Ints = np.where(key - self._key[before] <= self._key[after] - key, before, after)
        return nearest


class Fitted(NamedTuple):
    """Events with their evidence and the picks nearest to their arrivals."""

    events: Events
    evidence: Floats
    """Log-odds (n,) of the event against chance."""
    pick: Ints
    """Pick (n, n_channels) of each channel, -1 where there is none or the channel is out of reach."""


def refine(events: Events, free: Free, channels: Channels, rules: Rules, widths: Floats) -> Fitted:
    """Fit events to free picks, each on its own, with tolerances (s) that shrink along `widths`; the last should be 0."""
    order = channels.nearest_first(events.x)
    for width in widths:
        found = _found(events, free, channels, rules, width, order)
        events = _stepped(events._replace(reach=found.reach), found, rules)
        if width == widths[len(widths) // 2]:
            order = channels.nearest_first(events.x)
    found = _found(events, free, channels, rules, 0.0, order)
    events = events._replace(reach=found.reach)
    return Fitted(events, found.total + occam(found.information(), rules), np.where(found.gain > 0, found.pick, -1))


class _Found(NamedTuple):
    """What is near to the arrivals of events."""

    pick: Ints
    gain: Floats
    residual: Floats
    sigma: Floats
    jacobian: Floats
    reach: Ints
    total: Floats

    def information(self) -> Floats:
        """Normal matrices (n, 4, 4) of matched picks."""
        weight = np.where(self.gain > 0, 1 / self.sigma**2, 0)
        matrices: Floats = np.einsum("nci,nc,ncj->nij", self.jacobian, weight, self.jacobian)
        return matrices


def _found(events: Events, free: Free, channels: Channels, rules: Rules, width: float, order: Ints) -> _Found:
    time, gradient = channels.travel_times(events.x)
    predicted = events.time[:, None] + time
    channel = np.broadcast_to(np.arange(len(channels)), predicted.shape)
    pick = free.nearest(predicted, channel)
    picks = free.picks
    sigma = np.hypot(picks.sigma[pick], width)
    residual = picks.time[pick] - predicted
    own = picks.channel[pick] == channel
    gain = rules.log_odds + picks.log_weight[pick] - LOG_2PI / 2 - np.log(sigma) - free.log_rate[pick]
    gain = np.where(own, gain - (residual / sigma) ** 2 / 2, -np.inf)
    share = rules.missed + np.logaddexp(0, gain)
    sums = np.take_along_axis(share, order, axis=1).cumsum(axis=1)
    reach = sums.argmax(axis=1) + 1
    gain = np.where(within(reach, order), gain, -np.inf)
    jacobian = np.concatenate([gradient, np.ones((*gradient.shape[:2], 1))], axis=2)
    return _Found(pick, gain, residual, sigma, jacobian, reach, sums.max(axis=1))


def _stepped(events: Events, found: _Found, rules: Rules) -> Events:
    """Events after a step of Gauss-Newton; picks count by how likely they are to belong."""
    with np.errstate(over="ignore"):
        weight = 1 / (1 + np.exp(-found.gain)) / found.sigma**2
    return moved(events, found.jacobian, weight, np.where(weight > 0, found.residual, 0), rules)


def moved(events: Events, jacobian: Floats, weight: Floats, residual: Floats, rules: Rules) -> Events:
    """Events after a step of Gauss-Newton within the region; a weak prior keeps what no pick constrains."""
    normal = np.einsum("nci,nc,ncj->nij", jacobian, weight, jacobian) + rules.prior
    step = np.linalg.solve(normal, np.einsum("nci,nc->ni", jacobian, weight * residual)[..., None])[..., 0]
    x = np.clip(events.x + step[:, :3], rules.lower, rules.upper)
    return Events(x, events.time + step[:, 3], events.reach)


def occam(information: Floats, rules: Rules) -> Floats:
    """Logarithm (n,) of how many events are expected in the volume of space and time that the picks leave open."""
    _, log_determinant = np.linalg.slogdet(information + rules.prior)
    expected: Floats = np.log(rules.density) + 2 * LOG_2PI - log_determinant / 2
    return expected
