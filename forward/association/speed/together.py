"""Velocities that are not known: events, their picks and the code of the velocities together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.forward.association.speed.shared import together
from vip.forward.association.speed.times import Near, TimesOfCode
from vip.forward.association.window.associate import grown, solved
from vip.forward.association.window.channels import Arrivals, Channels
from vip.forward.association.window.fit import Rules
from vip.forward.association.window.joint import Solution
from vip.forward.association.window.search import grid
from vip.protocols import Floats

SHRINKING = 0.5
"""Ratio of one tolerance to the one before."""
MOST_ROUNDS = 12
"""Associations and fits in turn, unless they settle before."""
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
    near: Near
    """Times of the code, corrections included."""

    @property
    def channels(self) -> Channels:
        """Channels with these times."""
        return self.near.channels


def learn_speed(
    picks: Arrivals,
    channels: Channels,
    rules: Rules,
    spacing: float,
    unknown: Unknown,
    threads: int = 1,
    start: Speed | None = None,
    width: float = 0.0,
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
        What was found before, from which the fit goes on.
    width : float
        First tolerance, s, if there is a start, besides that of the picks.
    """
    prior, size = unknown.prior(channels), unknown.times.family.size
    shared = np.append(start.code, start.correction) if start else np.zeros(len(prior))
    covariance, near = np.diag(prior**2), start.near if start else unknown.near(channels, shared)
    width = width if start else float(np.hypot(unresolved(near, rules, prior), unknown.correction))
    owner = np.full(len(picks.time), -1)
    for _ in range(MOST_ROUNDS):
        wide = picks._replace(sigma=np.hypot(picks.sigma, width))
        seen = wide, near.channels, grid(near.channels, rules, spacing), rules, threads
        solution, _ = grown(Solution.empty(), *seen) if width else solved(*seen)
        event = solution.owner(len(picks.time))
        own = event >= 0
        after, covariance = together(solution.events, event[own], wide.of(own), near, shared, prior, rules)
        change = np.abs(after - shared) / np.sqrt(np.diag(covariance))
        near, shared = unknown.near(channels, after, near), after
        if width == 0 and (np.array_equal(event, owner) or change.max() < SETTLED):
            break
        narrower = SHRINKING * width
        width, owner = narrower if narrower > picks.sigma.min() else 0.0, event
    return Speed(shared[:size], shared[size:], covariance, near)


def unresolved(near: Near, rules: Rules, prior: Floats) -> float:
    """Standard deviation, s, of what unknown velocities leave at the stations after an event has moved."""
    inside = (np.arange(PLACES) + 0.5) / PLACES
    axes = [low + inside * (high - low) for low, high in zip(rules.lower, rules.upper, strict=True)]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    _, gradient = near.channels.travel_times(x)
    of_event = np.concatenate([gradient, np.ones((*gradient.shape[:2], 1))], axis=2)
    of_code = near.derivatives.at(x) * prior[: len(near.code)]
    normal = np.einsum("nci,ncj->nij", of_event, of_event) + RIDGE * np.eye(4)
    moved = np.linalg.solve(normal, np.einsum("nci,nck->nik", of_event, of_code))
    return float(np.sqrt(np.mean(np.sum((of_code - of_event @ moved) ** 2, axis=2))))
