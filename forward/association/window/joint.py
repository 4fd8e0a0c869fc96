"""All events of a record together: each pick belongs to one of them or to none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.window.channels import Arrivals, Channels, Ints, within
from vip.forward.association.window.fit import LOG_2PI, Events, Rules, moved, occam
from vip.kernels_c.matching import Matching
from vip.protocols import Floats

MOST_STEPS = 12
"""Matchings and relocations in turn, unless they settle before."""
BEYOND = 4
"""Number of channels beyond the reach of an event that are looked at too: they may have picks."""
REACH, LESS_REACH = 5.0, 1.0
"""Pairs with a gain of less than minus the first are not summed over; where there are too many, it is less by the second."""
HALVINGS = 5
"""Number of times that a step is halved."""
DEPTHS, BETTER = 13, 4.0
"""Number of depths that an event may move to at once, if the sum of squares falls by more than the second."""
SETTLED = 1e-3
"""Change of all arrival times, s, below which they have settled."""


class Arrived(NamedTuple):
    """Predicted arrivals of events at channels within reach, sorted by channel and time."""

    event: Ints
    channel: Ints
    time: Floats
    jacobian: Floats
    """Derivatives (n, 4) of the times by x, y, depth and origin time."""


class Solution(NamedTuple):
    """Events, their picks and their evidence."""

    events: Events
    arrived: Arrived
    match: Ints
    """Pick of each prediction, or -1."""
    evidence: Floats
    """Log-odds (n_events,) of each event against chance, given the others."""

    @classmethod
    def empty(cls) -> Solution:
        """No events."""
        nothing = np.zeros(0, int)
        return cls(Events.none(), Arrived(nothing, nothing, np.zeros(0), np.zeros((0, 4))), nothing, np.zeros(0))

    def owner(self, n_picks: int) -> Ints:
        """Event of each pick, or -1."""
        owner = np.full(n_picks, -1)
        matched = self.match >= 0
        owner[self.match[matched]] = self.arrived.event[matched]
        return owner


class Joint:
    """The picks of a record, with their rates by chance.

    Parameters
    ----------
    picks : Arrivals
    log_rate : (n,) float
        Logarithm of the rate of chance picks, 1/s.
    channels : Channels
    rules : Rules
    """

    def __init__(self, picks: Arrivals, log_rate: Floats, channels: Channels, rules: Rules) -> None:
        self.picks, self.log_rate, self.channels, self.rules = picks, log_rate, channels, rules
        self.gain = picks.log_weight - LOG_2PI / 2 - np.log(picks.sigma) - log_rate
        self.first_pick = channels.starts(picks.channel)

    def of(self, chosen: NDArray[np.bool_]) -> Joint:
        """Some of the picks alone."""
        return Joint(self.picks.of(chosen), self.log_rate[chosen], self.channels, self.rules)

    def solve(self, events: Events) -> Solution:
        """Match and relocate in turn until nothing changes; events without enough evidence or picks die, the weakest first."""
        while True:
            if not len(events.time):
                return Solution.empty()
            solution = self._settled(events)
            events = solution.events
            counts = np.bincount(solution.arrived.event[solution.match >= 0], minlength=len(events.time))
            weak = (solution.evidence < 0) | (counts < self.rules.least)
            if not weak.any():
                return solution
            rank = np.where(weak, solution.evidence, np.inf)
            events = events.of(~(weak & (rank <= np.quantile(rank[weak], 0.5))))

    def arrived(self, events: Events) -> Arrived:
        """Arrivals of events within their reach."""
        time, gradient = self.channels.travel_times(events.x)
        event, channel = np.nonzero(within(events.reach, self.channels.nearest_first(events.x)))
        predicted = (events.time[:, None] + time)[event, channel]
        jacobian = np.concatenate([gradient[event, channel], np.ones((len(event), 1))], axis=1)
        by_time = np.lexsort((event, predicted, channel))
        return Arrived(event[by_time], channel[by_time], predicted[by_time], jacobian[by_time])

    def matching(self, arrived: Arrived) -> Matching:
        """The matching problem of some arrivals."""
        gain = np.full(len(arrived.time), self.rules.log_odds)
        starts = self.channels.starts(arrived.channel)
        return Matching(starts, self.first_pick, arrived.time, gain, self.picks.time, self.gain, self.picks.sigma)

    def probabilities(self, arrived: Arrived) -> tuple[Ints, Ints, Floats]:
        """Event, pick and probability of each pair that may belong together."""
        first, pick, probability, _ = sums(self.matching(arrived), REACH)
        return np.repeat(arrived.event, np.diff(first)), pick, probability

    def rivalry(self, solution: Solution) -> Floats:
        """Expected number of picks (n_events, n_events) that an event has and that are another's."""
        event, pick, probability = self.probabilities(solution.arrived)
        owner = solution.owner(len(self.picks.time))
        rivals = (owner[pick] >= 0) & (owner[pick] != event)
        table = np.zeros((len(solution.events.time),) * 2)
        np.add.at(table, (owner[pick[rivals]], event[rivals]), probability[rivals])
        return table + table.T

    def missing(self, solution: Solution) -> Floats:
        """Number of picks (n_events,) that are missing within reach, over what is expected."""
        share = self._shares(*solution[:3])
        reach = share.cumsum(axis=1).argmax(axis=1) + 1
        unmatched = (share == self.rules.missed) & (np.arange(share.shape[1]) < reach[:, None])
        missing: Floats = np.maximum(unmatched.sum(axis=1) - 2 * reach * (1 - self.rules.detection) - 1, 0)
        return missing

    def _settled(self, events: Events) -> Solution:
        for _ in range(MOST_STEPS):
            arrived = self.arrived(events)
            match = self.matching(arrived).best()
            events, change = self._relocated(events, arrived, match)
            events = events._replace(reach=self._reach(events, arrived, match))
            if change < SETTLED:
                break
        arrived = self.arrived(events)
        match = self._in_order(arrived, self.matching(arrived).best())
        return Solution(events, arrived, match, self._evidence(events, arrived, match))

    def _in_order(self, arrived: Arrived, match: Ints) -> Ints:
        """The matches, without the weaker one where an event's S would come before its P at a station."""
        is_s, station = self.channels.phase[arrived.channel] == "S", self.channels.station[arrived.channel]
        key = arrived.event * (station.max(initial=0) + 1) + station
        gain, matched = self._pair_gain(arrived, match), match >= 0
        p, s = np.flatnonzero(matched & ~is_s), np.flatnonzero(matched & is_s)
        _, of_p, of_s = np.intersect1d(key[p], key[s], assume_unique=True, return_indices=True)
        p, s = p[of_p], s[of_s]
        wrong = self.picks.time[match[s]] <= self.picks.time[match[p]]
        ordered = match.copy()
        ordered[np.where(gain[p] < gain[s], p, s)[wrong]] = -1
        return ordered

    def at_best_depths(self, solution: Solution) -> Solution:
        """The solution after events have moved to depths that fit better: a fit ends on its side of a jump of velocity."""
        events, n = solution.events, len(solution.events.time)
        if not n:
            return solution
        weight, observed = self._observed(solution.arrived, solution.match, n)
        depths = np.linspace(self.rules.lower[2], self.rules.upper[2], DEPTHS)
        x = np.repeat(events.x[:, None], 1 + DEPTHS, axis=1)
        x[:, 1:, 2] = depths
        after = observed[:, None] - self.channels.travel_times(x.reshape(-1, 3))[0].reshape(n, 1 + DEPTHS, -1)
        weights = np.maximum(weight, 1e-12)[:, None]  # an event may have no picks
        origin = np.average(after, axis=2, weights=np.broadcast_to(weights, after.shape))
        misfit = (weights * (after - origin[..., None]) ** 2).sum(axis=2)
        best = np.where(misfit[:, 1:].min(axis=1) < misfit[:, 0] - BETTER, 1 + misfit[:, 1:].argmin(axis=1), 0)
        if not best.any():
            return solution
        each = np.arange(n)
        found = self.solve(Events(x[each, best], np.where(best, origin[each, best], events.time), events.reach))
        return found if found.evidence.sum() > solution.evidence.sum() else solution

    def _observed(self, arrived: Arrived, match: Ints, n_events: int) -> tuple[Floats, Floats]:
        """Weights, 1/s^2, and times, s, of matched picks (n_events, n_channels); 0 where there is none."""
        matched = match >= 0
        place, shape = (arrived.event[matched], arrived.channel[matched]), (n_events, len(self.channels))
        weight, observed = np.zeros(shape), np.zeros(shape)
        weight[place] = 1 / self.picks.sigma[match[matched]] ** 2
        observed[place] = self.picks.time[match[matched]]
        return weight, observed

    def _relocated(self, events: Events, arrived: Arrived, match: Ints) -> tuple[Events, float]:
        weight, observed = self._observed(arrived, match, len(events.time))
        jacobian, predicted = np.zeros((*weight.shape, 4)), np.zeros(weight.shape)
        jacobian[arrived.event, arrived.channel], predicted[arrived.event, arrived.channel] = arrived.jacobian, arrived.time
        residual = np.where(weight > 0, observed - predicted, 0)
        before = (weight * residual**2).sum(axis=1)
        after = self._no_worse(events, moved(events, jacobian, weight, residual, self.rules), weight, observed, before)
        step = np.concatenate([after.x - events.x, (after.time - events.time)[:, None]], axis=1)
        change = np.abs(np.einsum("nci,ni->nc", jacobian, step)).max(initial=0.0)
        return after, float(change)

    def _no_worse(self, events: Events, after: Events, weight: Floats, observed: Floats, before: Floats) -> Events:
        """Events after a step that is halved while it makes the sum of squares larger, as it may across a jump of velocity."""
        for _ in range(HALVINGS):
            time, _ = self.channels.travel_times(after.x)
            worse = (weight * (observed - after.time[:, None] - time) ** 2).sum(axis=1) > before
            if not worse.any():
                break
            x, origin = (after.x + events.x) / 2, (after.time + events.time) / 2
            after = Events(np.where(worse[:, None], x, after.x), np.where(worse, origin, after.time), after.reach)
        return after

    def _pair_gain(self, arrived: Arrived, match: Ints) -> Floats:
        """Gain (n_predictions,) of the match of each prediction over leaving it alone, 0 where it has none."""
        matched = match >= 0
        gain, pick = np.zeros(len(match)), match[matched]
        z = (self.picks.time[pick] - arrived.time[matched]) / self.picks.sigma[pick]
        gain[matched] = self.rules.log_odds + self.gain[pick] - z**2 / 2
        return gain

    def _shares(self, events: Events, arrived: Arrived, match: Ints) -> Floats:
        """What channels add to the log-odds of events (n, n_channels), in the order of distances."""
        share = np.full((len(events.time), len(self.channels)), self.rules.missed)
        share[arrived.event, arrived.channel] += self._pair_gain(arrived, match)
        order = self.channels.nearest_first(events.x)
        return np.take_along_axis(share, order, axis=1)

    def _reach(self, events: Events, arrived: Arrived, match: Ints) -> Ints:
        share = self._shares(events, arrived, match)
        reach: Ints = np.minimum(share.cumsum(axis=1).argmax(axis=1) + 1 + BEYOND, len(self.channels))
        return reach

    def _evidence(self, events: Events, arrived: Arrived, match: Ints) -> Floats:
        share = self._shares(events, arrived, match)
        matched = match >= 0
        information = np.zeros((len(events.time), 4, 4))
        weight = 1 / self.picks.sigma[match[matched]] ** 2
        outer = arrived.jacobian[matched][:, :, None] * arrived.jacobian[matched][:, None] * weight[:, None, None]
        np.add.at(information, arrived.event[matched], outer)
        evidence: Floats = share.cumsum(axis=1).max(axis=1) + occam(information, self.rules)
        return evidence


def sums(matching: Matching, reach: float) -> tuple[Ints, Ints, Floats, Floats]:
    """Sums over all matchings of pairs with a gain of at least `-reach`, see `Matching.sums`.

    Where too many arrivals crowd at a channel, unlikely pairs are left out until the others can be summed.
    """
    while True:
        try:
            first, pick, probability, log_sum = matching.sums(reach)
        except OverflowError:
            reach -= LESS_REACH
        else:
            return first, pick, probability, log_sum
