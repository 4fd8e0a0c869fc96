"""Which particles go together to a worker, from what they cost before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vip.protocols import Evaluation, Floats

Indices = NDArray[np.intp]

LEAST_SECONDS = 0.05
"""A group should take at least this long, so that sending it costs little beside it."""

PORTION = 0.5
"""A group is this part of a worker's share of the work that is left: few large groups, then small ones that even out the end
(factoring; Hummel, Schonberg & Flynn 1992)."""

MEMORY = 0.5
"""Weight of the newest measurement of a particle's cost."""


class Shares:
    """Cuts particles into groups, the costliest first, to be handed to whichever worker is free.

    Nothing here touches results: a particle's value does not depend on its group.

    Parameters
    ----------
    batch : int
        Particles that the forward evaluates at the price of one, such as the lanes of a SIMD register.

    Examples
    --------
    >>> shares = Shares()
    >>> [group.tolist() for group in shares.groups(4, workers=2)]
    [[0, 1], [2, 3]]
    >>> for particle, seconds in enumerate((1.0, 1.0, 4.0, 1.0)):
    ...     shares.learn(np.array([particle]), seconds)
    >>> [group.tolist() for group in shares.groups(4, workers=2)]
    [[2], [0], [1], [3]]
    """

    def __init__(self, batch: int = 1) -> None:
        self.batch = batch
        self._seconds: Floats = np.zeros(0)

    def learn(self, group: Indices, seconds: float) -> None:
        """Remember what a group cost (s), an equal part for each of its particles."""
        cost = seconds / len(group)
        known = self._seconds[group] > 0
        self._seconds[group] = np.where(known, MEMORY * cost + (1 - MEMORY) * self._seconds[group], cost)

    def groups(self, n: int, workers: int) -> list[Indices]:
        """Groups of the particles 0 to n - 1 in the order in which they should start."""
        if len(self._seconds) != n:
            self._seconds = np.zeros(n)
        cost = self._seconds
        order = np.argsort(-cost, kind="stable")
        largest = -(-n // workers)
        if n > self.batch * workers:
            largest = self.batch * (-(-largest // self.batch))
        left = float(cost.sum())
        groups, first, filled = [], 0, 0.0
        for last, particle in enumerate(order, start=1):
            filled += cost[particle]
            size = last - first
            full = size % self.batch == 0 and filled >= max(LEAST_SECONDS, PORTION * left / workers)
            if full or size == largest or last == n:
                groups.append(np.sort(order[first:last]))
                first, filled, left = last, 0.0, left - filled
        return groups


def as_slice(group: Indices) -> Indices | slice:
    """The same particles as a slice where they are neighbours, so that NumPy gives a view and not a copy.

    Examples
    --------
    >>> as_slice(np.array([3, 4, 5])), as_slice(np.array([3, 5]))
    (slice(3, 6, None), array([3, 5]))
    """
    first, last = int(group[0]), int(group[-1])
    return slice(first, last + 1) if last - first == len(group) - 1 else group


def nothing_yet(models: Floats) -> Evaluation:
    """The evaluation of models (n, d) before any group is done."""
    return Evaluation(np.full(len(models), np.nan), np.empty(models.shape), 0.0, {})


def put(group: Indices, evaluation: Evaluation, result: Evaluation) -> None:
    """Put a group's evaluation where it belongs."""
    where = as_slice(group)
    result.log_likelihood[where], result.gradient[where] = evaluation.log_likelihood, evaluation.gradient
    result.failures.update({int(group[i]): reason for i, reason in evaluation.failures.items()})
