"""Test whether a gradient is that of its log-density, by central differences in some directions; find the entry at fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.protocols import Evaluated, Floats

DIRECTIONS = 8
DIRECTIONS_IF_SLOW = 3
STEPS = np.logspace(-7, -1, 7)
STEPS_IF_SLOW = np.logspace(-2.5, 0, 6)
"""Steps for slow codes, which have many data and run in single precision: only those that stand out from its noise."""
TOLERANCE = 1e-2
"""Relative disagreement of gradient and finite difference at the best step. Codes in single precision, whose misfit is
noisy, reach about 1e-3; a wrong term is of order one."""


Differentiated = Callable[[Floats], tuple[Floats, Floats] | Evaluated]
"""Function of points (n, d) that returns values (n,), then gradients (n, d), as a forward or a log-density does."""


class Entry(NamedTuple):
    """One entry of a gradient, and what finite differences give for it."""

    position: int
    analytic: float
    difference: float


def gradient_error(log_density: Differentiated, theta: Floats, rng: np.random.Generator, is_slow: bool = False) -> float:
    """Relative disagreement of gradient and central differences: median over directions, each at its best step.

    Parameters
    ----------
    log_density : callable
    theta : (1, d) float
        Where to test.
    rng : Generator
        Draws the directions.
    is_slow : bool
        Whether to use fewer evaluations.

    Examples
    --------
    >>> quadratic = lambda theta: (-(theta**2).sum(axis=1), -2 * theta)
    >>> gradient_error(quadratic, np.ones((1, 3)), np.random.default_rng(0)) < 1e-6
    True
    """
    gradient = log_density(theta)[1][0]
    errors = []
    steps = STEPS_IF_SLOW if is_slow else STEPS
    for _ in range(DIRECTIONS_IF_SLOW if is_slow else DIRECTIONS):
        direction = rng.standard_normal((theta.shape[1],))
        direction /= np.linalg.norm(direction)
        expected = float(gradient @ direction)
        difference = _differences(log_density, theta, direction, steps)
        errors.append(np.abs(difference - expected).min() / max(abs(expected), 1e-300))
    return float(np.median(errors))


def worst_entry(log_density: Differentiated, theta: Floats, rng: np.random.Generator, is_slow: bool = False) -> Entry:
    """The entry in which gradient and differences disagree most, found by halving: 2 log2 d directions, not d.

    Where many entries are wrong, it is one of them.

    Parameters
    ----------
    log_density, theta, rng, is_slow
        See `gradient_error`.

    Examples
    --------
    >>> wrong = lambda theta: (-(theta**2).sum(axis=1), -2 * theta * [1, 1, 0, 1, 1])
    >>> worst_entry(wrong, np.ones((1, 5)), np.random.default_rng(0)).position
    2
    """
    gradient = log_density(theta)[1][0]
    signs = rng.choice([-1.0, 1.0], theta.shape[1])  # so that errors of several entries do not cancel

    def compare(entries: NDArray[np.intp]) -> tuple[float, float]:
        direction = np.zeros(theta.shape[1])
        direction[entries] = signs[entries] / np.sqrt(len(entries))
        found = _differences(log_density, theta, direction, STEPS_IF_SLOW[::2] if is_slow else STEPS)
        most_stable = int(np.abs(np.diff(found)).argmin())  # not the nearest to the gradient, which is what is in doubt
        return float(gradient @ direction), float(found[most_stable])

    entries: NDArray[np.intp] = np.arange(theta.shape[1])
    while len(entries) > 1:
        halves = np.array_split(entries, 2)
        gaps = [abs(expected - found) for expected, found in map(compare, halves)]
        entries = halves[int(np.argmax(gaps))]
    position = int(entries[0])
    analytic, difference = (signs[position] * value for value in compare(entries))
    return Entry(position, analytic, difference)


def _differences(log_density: Differentiated, theta: Floats, direction: Floats, steps: Floats) -> Floats:
    """Central differences in a direction, with each of the steps."""
    values = log_density(theta + np.concatenate([steps, -steps])[:, None] * direction)[0]
    difference: Floats = (values[: len(steps)] - values[len(steps) :]) / (2 * steps)
    return difference
