"""A crowded window at an unknown speed: annealing, then associations and fits in turn from the speed that it found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.forward.association.speed.annealing import Annealed, Annealing, anneal
from vip.forward.association.speed.together import Speed, Unknown, learn_speed
from vip.forward.association.window.associate import associate
from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.association.window.fit import Events, Rules
from vip.forward.association.window.learning import residuals
from vip.forward.association.window.search import grid
from vip.protocols import Floats


class Crowded(NamedTuple):
    """Events, the picks of each, and the speed."""

    events: Events
    event: Ints
    """Event of each pick (n,), or -1."""
    code: Floats
    """Code of the velocities (size,)."""
    covariance: Floats
    """Covariance (size, size) of the code, given the assignment; hypocentres and origin times are free."""
    misfit: float
    """Root mean square of residuals, s."""


def learn_crowded(
    picks: Arrivals,
    channels: Channels,
    rules: Rules,
    spacing: float,
    unknown: Unknown,
    search: Annealing,
    seed: int,
    n_events: int,
) -> Crowded:
    """Find events, their picks and the code of the velocities where arrivals of many events cross.

    Annealing may end with a speed that is nearly right and two events that hold each other's picks. An association at this
    speed begins anew, with a tolerance of what annealing left; it is taken if it leaves less, for at least as many picks.
    Rounds of this end when what is left is what is expected of picks.

    Parameters
    ----------
    picks : Arrivals
        Those of one short window, in which each channel sees about every event.
    channels : Channels
        Their tables are not used.
    rules : Rules
    spacing : float
        Spacing of the nodes on which events are sought, km.
    unknown : Unknown
        Without corrections.
    search : Annealing
    seed : int
        The same seed gives the same result.
    n_events : int
        Number of events.
    """
    best: Crowded | None = None
    for turn in range(search.rounds):
        annealed = anneal(picks, channels, rules, unknown.times, search._replace(rounds=1), seed, n_events, turn)
        found = _anew(picks, channels, rules, spacing, unknown, search.residual, annealed)
        best = found if best is None or found.misfit < best.misfit else best
        if best.misfit < search.residual:
            break
    if best is None:
        raise ValueError(f"rounds: {search.rounds}: must be at least 1")
    return best


def _anew(
    picks: Arrivals, channels: Channels, rules: Rules, spacing: float, unknown: Unknown, residual: float, annealed: Annealed
) -> Crowded:
    """Associations and fits in turn from the speed that annealing found, or what it found itself if that is better."""
    near = unknown.near(channels, annealed.code)
    start = Speed(annealed.code, np.zeros(0), annealed.covariance, near)
    speed = learn_speed(picks, channels, rules, spacing, unknown, start=start, width=annealed.misfit)
    wide = picks._replace(sigma=np.maximum(picks.sigma, residual))
    found = associate(wide, speed.channels, grid(speed.channels, rules, spacing), rules)
    left = residuals(picks, speed.channels, found)[found.event >= 0]
    size = len(speed.code)
    misfit = float(np.sqrt(np.mean(left**2))) if len(left) else np.inf
    if misfit < annealed.misfit and len(left) >= (annealed.event >= 0).sum():
        return Crowded(found.events, found.event, speed.code, speed.covariance[:size, :size], misfit)
    return Crowded(*annealed)
