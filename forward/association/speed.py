"""Velocities that are not known: events, their picks and the code of the velocities together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.forward.association.associate import first, reborn
from vip.forward.association.channels import Arrivals, Channels, Ints
from vip.forward.association.fit import Events, Rules
from vip.forward.association.search import grid
from vip.forward.association.times import Near, TimesOfCode
from vip.protocols import Floats

SHRINKING = 0.5
"""Ratio of one tolerance to the one before."""
MOST_ROUNDS = 25
"""Associations and fits in turn, unless they settle before."""
STEPS = 4
"""Steps of Gauss-Newton for one set of tables."""
LONGEST = 1.0
"""Longest change of an entry of the code in one step."""
SETTLED = 0.1
"""Change of the code, in standard deviations of what is left open, below which it has settled."""
RIDGE = 1e-6
"""What is added to normal matrices of single events, so that there is always a solution."""
PLACES = 4
"""Number of places along each side of the region from which the first tolerance is taken."""


class Unknown(NamedTuple):
    """What is not known of travel times.

    Attributes
    ----------
    times : TimesOfCode
    correction : float
        Standard deviation, s, of a correction of each channel; 0 for none.
    """

    times: TimesOfCode
    correction: float = 0.0

    def near(self, channels: Channels, shared: Floats, before: Near | None = None) -> Near:
        """Times of a code, with the corrections that follow it added to those of the channels."""
        size = self.times.family.size
        correction = channels.correction + (shared[size:] if self.correction else 0.0)
        corrected = Channels(channels.station, channels.phase, channels.place, channels.tables, correction)
        return self.times.near(corrected, shared[:size], before)

    def prior(self, channels: Channels) -> Floats:
        """Standard deviations of the code, then of the corrections of all channels, if there are any."""
        corrections = np.full(len(channels) if self.correction else 0, self.correction)
        return np.append(np.ones(self.times.family.size), corrections)


class Speed(NamedTuple):
    """What was found of travel times."""

    code: Floats
    """Code of the velocities (size,)."""
    correction: Floats
    """Corrections of the channels (n_channels,), s, or none (0,)."""
    covariance: Floats
    """Covariance of both, one after the other, given the picks of the events; hypocentres and origin times are free."""
    channels: Channels
    """Channels with the times of the code, corrections included."""


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


def learn_speed(
    picks: Arrivals,
    channels: Channels,
    rules: Rules,
    spacing: float,
    unknown: Unknown,
    threads: int = 1,
    start: Speed | None = None,
) -> Speed:
    """Associate picks and fit events and velocities to them in turn, with a tolerance that shrinks.

    The first tolerance is what unknown velocities leave at the stations after an event has moved.

    Parameters
    ----------
    picks : Arrivals
    channels : Channels
        Their tables are not used, their corrections are.
    rules : Rules
    spacing : float
        Spacing of the nodes on which events are sought, km.
    unknown : Unknown
    threads : int
        Does not change the result.
    start : Speed, optional
        What was found before, from which the fit goes on with the tolerance of the picks alone.
    """
    prior, size = unknown.prior(channels), unknown.times.family.size
    shared = np.append(start.code, start.correction) if start else np.zeros(len(prior))
    covariance, owner, near = np.diag(prior**2), None, unknown.near(channels, shared)
    width = 0.0 if start else float(np.hypot(unresolved(near, rules, prior), unknown.correction))
    for _ in range(MOST_ROUNDS):
        wide = picks._replace(sigma=np.hypot(picks.sigma, width))
        solution, joint = first(wide, near.channels, nodes := grid(near.channels, rules, spacing), rules, threads)
        if width == 0:
            solution = reborn(solution, joint, nodes, threads)
        event = solution.owner(len(picks.time))
        after, covariance = together(solution.events, event, wide, near, shared, prior, rules)
        change = np.abs(after - shared) / np.sqrt(np.diag(covariance))
        near, shared = unknown.near(channels, after, near), after
        if width == 0 and (np.array_equal(event, owner) or change.max() < SETTLED):
            break
        narrower = SHRINKING * width
        width, owner = narrower if narrower > picks.sigma.min() else 0.0, event
    return Speed(shared[:size], shared[size:], covariance, near.channels)


def unresolved(near: Near, rules: Rules, prior: Floats) -> float:
    """Standard deviation, s, of what unknown velocities leave at the stations after an event has moved: over places and channels."""
    inside = (np.arange(PLACES) + 0.5) / PLACES
    axes = [low + inside * (high - low) for low, high in zip(rules.lower, rules.upper, strict=True)]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    of_event = _by_event(near.channels.travel_times(x)[1])
    of_code = near.derivatives.at(x) * prior[: len(near.code)]
    normal = np.einsum("nci,ncj->nij", of_event, of_event) + RIDGE * np.eye(4)
    moved = np.linalg.solve(normal, np.einsum("nci,nck->nik", of_event, of_code))
    return float(np.sqrt(np.mean(np.sum((of_code - of_event @ moved) ** 2, axis=2))))


def together(
    events: Events, event: Ints, picks: Arrivals, near: Near, shared: Floats, prior: Floats, rules: Rules
) -> tuple[Floats, Floats]:
    """Code and corrections that fit the picks of all events best, the events moving too, and their covariance.

    Times change with the code as near its first value; with places as the tables say.
    """
    start = shared
    covariance = np.diag(prior**2)
    for _ in range(STEPS if len(events.time) else 0):
        by_event, by_shared, residual = linearised(event, events, picks, near, len(prior))
        residual = residual - by_shared @ (shared - start)
        own = event >= 0
        normal = normal_equations(event[own], by_event, by_shared, residual, picks.sigma[own], shared, prior, rules)
        step, of_shared, covariance = normal.solved()
        events, shared = _stepped(events, step, rules), shared + of_shared
    return shared, covariance


def linearised(event, events: Events, picks: Arrivals, near: Near, n_shared: int) -> tuple[Floats, Floats, Floats]:
    """Derivatives (n, 4) and (n, n_shared) of the arrival times of the picks of events, and the residuals (n,) of these."""
    own = np.flatnonzero(event >= 0)
    at = event[own], picks.channel[own]
    time, gradient = near.channels.travel_times(events.x)
    by_shared = np.zeros((len(own), n_shared))
    by_shared[:, : len(near.code)] = near.derivatives.at(events.x)[at]
    if n_shared > len(near.code):
        by_shared[np.arange(len(own)), len(near.code) + at[1]] = 1
    return _by_event(gradient)[at], by_shared, picks.time[own] - events.time[at[0]] - time[at]


def normal_equations(event, by_event, by_shared, residual, sigma, shared, prior, rules):
    n, weight = event.max() + 1, 1 / sigma**2
    left = np.concatenate([by_event, residual[:, None], by_shared], axis=1)
    sums = np.zeros((n, 4, left.shape[1]))
    np.add.at(sums, event, (by_event * weight[:, None])[:, :, None] * left[:, None])
    return Normal(
        sums[..., :4] + rules.prior,
        sums[..., 5:],
        (by_shared.T * weight) @ by_shared + np.diag(1 / prior**2),
        sums[..., 4],
        by_shared.T @ (weight * residual) - shared / prior**2,
    )


def _by_event(gradient: Floats) -> Floats:
    """Derivatives (n, n_channels, 4) by x, y, depth and origin time."""
    return np.concatenate([gradient, np.ones((*gradient.shape[:2], 1))], axis=2)


def _stepped(events: Events, step: Floats, rules: Rules) -> Events:
    return events._replace(x=np.clip(events.x + step[:, :3], rules.lower, rules.upper), time=events.time + step[:, 3])
