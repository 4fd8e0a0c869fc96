"""Groups of particles that go to a worker together, from what particles cost before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.dispatch.serial import Serial
from vip.protocols import Evaluation, Floats, Simulation

Indices = NDArray[np.intp]

LEAST_SECONDS = 0.05
"""Least time that a group should take, s, so that sending it costs little in comparison."""

PORTION = 0.5
"""Part of a worker's share of the remaining work that goes into a group: few large groups, then small ones that even out the
end (factoring; Hummel, Schonberg & Flynn 1992)."""

MEMORY = 0.5
"""Weight of the newest measurement of a particle's cost."""


class Shares:
    """Cuts particles into groups, the costliest first, to be handed to whichever worker is free.

    Nothing here touches results: a particle's value does not depend on its group.

    Parameters
    ----------
    batch : int
        Number of particles that the forward evaluates at the price of one, such as the lanes of a SIMD register.

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


class Task(NamedTuple):
    """A task to do on models, with all that travels with them, see `vip.protocols.Dispatcher`."""

    ability: Literal["evaluate", "simulate"] = "evaluate"
    blocks: Sequence[int] | None = None
    observed: Floats | None = None

    def __call__(self, serial: Serial, models: Floats) -> Part:
        """Do the task on models (n, d) in this process."""
        if self.ability == "simulate":
            return serial.simulate(models)
        return serial.evaluate(models, self.blocks, self.observed)


Part = Evaluation | Simulation
"""Results of a group: arrays with a row for each particle, then seconds and failures."""


class Gathered:
    """Results of all groups of a task, put together.

    Parameters
    ----------
    n : int
        Number of particles.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._kind: Any = Evaluation
        self._arrays: list[Floats] = []
        self.failures: dict[int, str] = {}

    def put(self, group: Indices, part: Part) -> None:
        """Put the results of a group where they belong."""
        *arrays, _, failures = part
        if not self._arrays:
            self._kind = type(part)
            self._arrays = [np.empty((self._n, *array.shape[1:])) for array in arrays]
        where = as_slice(group)
        for whole, array in zip(self._arrays, arrays, strict=True):
            whole[where] = array
        self.failures.update({int(group[i]): reason for i, reason in failures.items()})

    def lose(self, particle: int, reason: str) -> None:
        """Note a particle that has no result, and why."""
        self.failures[particle] = reason
        for whole in self._arrays:
            whole[particle] = np.nan

    def whole(self, seconds: float) -> Any:
        """The evaluation or simulation of all particles, which took `seconds`."""
        return self._kind(*self._arrays, seconds, self.failures)
