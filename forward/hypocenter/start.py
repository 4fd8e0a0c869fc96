"""Particles spread as the posterior is, all its modes with their weights: tempered sequential Monte Carlo.

From draws of the uniform prior to the posterior in steps of the likelihood's power, each as long as leaves half of the
particles effective (Del Moral, Doucet & Jasra 2006; Jasra et al. 2011). In between, particles are resampled and moved by
Metropolis steps along the difference of two others (ter Braak 2006), which fit the scale and the modes of what they are to
sample. All events go through it together, each with its own powers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vip.progress import Waiting

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

EFFECTIVE = 0.5
"""Share of the particles that a step of the power must leave."""
MOVES, LAST_MOVES = 5, 10
"""Metropolis steps after each step of the power, and after the last."""
JUMPS = 0.1
"""Share of the moves that go by a whole difference: from mode to mode."""
SHORTEST = 0.05
"""Of the other moves, over those that suit a Gaussian: bent posteriors need shorter ones."""
JITTER = 1e-3
"""Noise of a move, in standard deviations: differences of few particles reach few places."""
BISECTIONS = 30


def tempered(
    log_likelihood: Callable[[Floats, Ints], Floats], lower: Floats, upper: Floats, n: int, rng: np.random.Generator
) -> Floats:
    """Samples (n, n_events, k) of the posteriors of all events, each alone.

    Parameters
    ----------
    log_likelihood : callable
        Of places (n, m, k) of the events (m,): (n, m), finite.
    lower, upper : (n_events, k) float
        Bounds of the uniform prior.
    n : int
        Particles; some tens or more.
    rng : Generator
    """
    x = rng.uniform(lower, upper, (n, *lower.shape))
    events = np.arange(len(lower))
    value, power = log_likelihood(x, events), np.zeros(len(lower))
    waiting = Waiting("first samples", len(lower), "events")
    while len(events := np.flatnonzero(power < 1)):
        waiting(len(lower) - len(events))
        step = _step(value[:, events], 1 - power[events])
        power[events] += step
        origin = _resampled(step * value[:, events], rng)
        x[:, events], value[:, events] = x[origin, events], value[origin, events]
        moves = np.where(power[events] < 1, MOVES, LAST_MOVES)
        for move in range(moves.max()):
            _move(x, value, events[moves > move], power, log_likelihood, lower, upper, rng)
    return x


def _step(value: Floats, longest: Floats) -> Floats:
    """The step (m,) of the power that leaves the share wanted of particles with log-likelihoods (n, m), or the longest (m,)."""
    value = value - value.max(axis=0)

    def effective(step: Floats) -> Floats:
        weight = np.exp(step * value)
        share: Floats = weight.sum(axis=0) ** 2 / (weight**2).sum(axis=0) / len(value)
        return share

    low, high = np.zeros_like(longest), longest.copy()
    enough = effective(high) >= EFFECTIVE
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        fine = effective(middle) >= EFFECTIVE
        low, high = np.where(fine, middle, low), np.where(fine, high, middle)
    return np.where(enough, longest, np.maximum(low, np.finfo(float).tiny))


def _resampled(log_weight: Floats, rng: np.random.Generator) -> Ints:
    """Systematic resampling: which particle (n, m) takes each place."""
    n, m = log_weight.shape
    weight = np.exp(log_weight - log_weight.max(axis=0))
    ends = np.cumsum(weight, axis=0) / weight.sum(axis=0)
    ends[-1] = 1.0
    points = (np.arange(n)[:, None] + rng.random(m)) / n
    return np.stack([np.searchsorted(ends[:, j], points[:, j]) for j in range(m)], axis=1)


def _move(
    x: Floats,
    value: Floats,
    events: Ints,
    power: Floats,
    log_likelihood: Callable[[Floats, Ints], Floats],
    lower: Floats,
    upper: Floats,
    rng: np.random.Generator,
) -> None:
    """A Metropolis step of every particle of some events, in place."""
    here = x[:, events]
    n, m, k = here.shape
    first, second = ((np.arange(n)[:, None] + rng.integers(1, n, (n, m))) % n for _ in range(2))
    length = 2.38 / np.sqrt(2 * k) * SHORTEST ** rng.random((n, m, 1))
    length[rng.random((n, m)) < JUMPS] = 1.0
    across = np.arange(m)
    there = here + length * (here[first, across] - here[second, across])
    there += JITTER * here.std(axis=0) * rng.standard_normal(there.shape)
    inside = ((there >= lower[events]) & (there <= upper[events])).all(axis=2)
    there = np.where(inside[..., None], there, here)
    proposed = log_likelihood(there, events)
    accepted = inside & (np.log(rng.random((n, m))) < power[events] * (proposed - value[:, events]))
    x[:, events] = np.where(accepted[..., None], there, here)
    value[:, events] = np.where(accepted, proposed, value[:, events])
