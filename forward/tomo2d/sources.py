"""Stations to solve from: by reciprocity, either end of a pair can be the source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

Ints = NDArray[np.intp]

SOLVER_SECONDS = 5.0
"""Time limit of the exact search, s; the best cover found by then is used."""


def minimum_sources(a: Ints, b: Ints) -> Ints:
    """The smallest set of stations that has at least one end of every pair: a minimum vertex cover.

    Parameters
    ----------
    a, b : (n_pairs,) int
        Stations at the two ends of each pair.

    Returns
    -------
    (n_sources,) int
        Stations of the cover, sorted.

    Examples
    --------
    >>> minimum_sources(np.array([0, 0, 3]), np.array([1, 2, 2])).tolist()
    [0, 2]
    """
    n_pairs, n_stations = len(a), int(max(a.max(), b.max())) + 1
    ends = csr_array((np.ones(2 * n_pairs), (np.tile(np.arange(n_pairs), 2), np.concatenate([a, b]))), (n_pairs, n_stations))
    result = milp(
        np.ones(n_stations),
        integrality=np.ones(n_stations),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(ends, lb=1),
        options={"time_limit": SOLVER_SECONDS},
    )
    if result.x is None:
        return np.unique(a)
    return np.flatnonzero(result.x > 0.5)


def orient(a: Ints, b: Ints, sources: Ints) -> tuple[Ints, Ints]:
    """Index into `sources` of each pair's source end, and the station at its other end."""
    place = np.full(int(max(a.max(), b.max())) + 1, -1)
    place[sources] = np.arange(len(sources))
    from_a = place[a] >= 0
    return np.where(from_a, place[a], place[b]), np.where(from_a, b, a)
