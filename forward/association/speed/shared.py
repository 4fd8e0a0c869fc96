"""Least squares for events together with what they share: the code of the velocities, and corrections of channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.forward.association.speed.times import Near
from vip.forward.association.window.channels import Arrivals, Ints
from vip.forward.association.window.fit import Events, Rules
from vip.protocols import Floats

STEPS = 4
"""Steps of Gauss-Newton for one set of tables."""


class Normal(NamedTuple):
    """Normal equations of events, each with unknowns of its own, and of what they share."""

    own: Floats
    """Matrices (n_events, 4, 4) of x, y, depth and origin time."""
    mixed: Floats
    """Matrices (n_events, 4, n_shared)."""
    shared: Floats
    """Matrix (n_shared, n_shared)."""
    right: Floats
    """Right sides (n_events, 4)."""
    right_shared: Floats
    """Right side (n_shared,)."""

    def solved(self) -> tuple[Floats, Floats, Floats]:
        """Unknowns of events (n_events, 4), what they share (n_shared,) and its covariance, by the Schur complement."""
        alone = np.linalg.solve(self.own, np.concatenate([self.mixed, self.right[..., None]], axis=2))
        mixed, right = alone[..., :-1], alone[..., -1]
        covariance = np.linalg.inv(self.shared - np.einsum("nik,nil->kl", self.mixed, mixed))
        shared = covariance @ (self.right_shared - np.einsum("nik,ni->k", self.mixed, right))
        return right - mixed @ shared, shared, covariance


class Linear(NamedTuple):
    """Arrival times of picks of events near some unknowns."""

    by_event: Floats
    """Derivatives (n, 4) by x, y, depth and origin time of the event."""
    by_shared: Floats
    """Derivatives (n, n_shared) by what events share."""
    residual: Floats
    """Observed less predicted times (n,), s."""

    def normal(self, event: Ints, sigma: Floats, n_events: int) -> Normal:
        """Normal equations without a prior, from the event (n,) and the standard deviation (n,), s, of each pick."""
        left = self.by_event / sigma[:, None] ** 2
        right = np.concatenate([self.by_event, self.residual[:, None], self.by_shared], axis=1)
        sums = np.zeros((n_events, 4, right.shape[1]))
        np.add.at(sums, event, left[:, :, None] * right[:, None])
        weighted = self.by_shared.T / sigma**2
        return Normal(sums[..., :4], sums[..., 5:], weighted @ self.by_shared, sums[..., 4], weighted @ self.residual)


def linear(events: Events, event: Ints, picks: Arrivals, near: Near, shared: Floats) -> Linear:
    """Arrival times of picks, each of an event (n,), as linear functions of the unknowns.

    Parameters
    ----------
    events : Events
    event : (n,) int
    picks : Arrivals
    near : Near
        Times at a code and corrections from which they are taken as linear in these.
    shared : (n_shared,) float
        Change from these: that of the code, then those of the corrections of all channels, if there are any.
    """
    size, each = len(near.code), np.arange(len(event))
    time, gradient = near.channels.travel_times(events.x)
    by_shared = np.zeros((len(event), len(shared)))
    by_shared[:, :size] = near.derivatives.at(events.x)[event, picks.channel]
    if len(shared) > size:
        by_shared[each, size + picks.channel] = 1
    by_event = np.concatenate([gradient[event, picks.channel], np.ones((len(event), 1))], axis=1)
    predicted = events.time[event] + time[event, picks.channel] + by_shared @ shared
    return Linear(by_event, by_shared, picks.time - predicted)


def together(
    events: Events, event: Ints, picks: Arrivals, near: Near, start: Floats, prior: Floats, rules: Rules
) -> tuple[Floats, Floats]:
    """What events share that fits their picks best, the events moving too, and its covariance.

    Parameters
    ----------
    events : Events
    event : (n,) int
        Event of each pick.
    picks : Arrivals
    near : Near
        Times at the start.
    start : (n_shared,) float
        Code, then corrections, s, of all channels, if there are any.
    prior : (n_shared,) float
        Standard deviations of these before any pick is seen; their means are 0.
    rules : Rules
    """
    shared, covariance = start, np.diag(prior**2)
    for _ in range(STEPS if len(events.time) else 0):
        normal = linear(events, event, picks, near, shared - start).normal(event, picks.sigma, len(events.time))
        step, change, covariance = normal._replace(
            own=normal.own + rules.prior,
            shared=normal.shared + np.diag(1 / prior**2),
            right_shared=normal.right_shared - shared / prior**2,
        ).solved()
        x = np.clip(events.x + step[:, :3], rules.lower, rules.upper)
        events, shared = events._replace(x=x, time=events.time + step[:, 3]), shared + change
    return shared, covariance
