"""How right an association is, where the true event of every pick is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import block_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import kendalltau

from vip.forward.association.window.channels import Ints
from vip.protocols import Floats

SHARED = 0.6
"""Least share of an event's picks that must be of one true event, as is usual in comparisons of associators."""


class Scores(NamedTuple):
    """Counts of what is right."""

    right: int
    found: int
    true: int

    @property
    def precision(self) -> float:
        """Share of what was found that is right; 1 if nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of what is true that was found; 1 if there was nothing to find."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 if there was nothing to find, and nothing was found."""
        return 2 * self.right / (self.found + self.true) if self.found + self.true else 1.0


def _table(found: Ints, truth: Ints) -> csr_array:
    """Number of picks (n_found, n_true) that each event that was found shares with each true one."""
    both = (found >= 0) & (truth >= 0)
    shape = found.max(initial=-1) + 1, truth.max(initial=-1) + 1
    return csr_array((np.ones(both.sum(), int), (found[both], truth[both])), shape=shape)


def names(found: Ints, truth: Ints) -> Ints:
    """True event of each event that was found, or -1, one to one, such that most picks are right.

    Parameters
    ----------
    found : (n,) int
        Event of each pick, numbered from 0, or -1.
    truth : (n,) int
        True event of each pick, numbered from 0, or -1.

    Examples
    --------
    >>> names(np.array([0, 0, 0, 1, 1, 2]), np.array([5, 5, 7, 5, -1, 7]))
    array([ 5, -1,  7])
    """
    table = _table(found, truth)
    named = np.full(table.shape[0], -1)
    whole = block_array([[None, table], [table.T, None]], format="csr")
    _, group = connected_components(whole, directed=False)
    for own in np.split(np.argsort(group, kind="stable"), np.flatnonzero(np.diff(np.sort(group))) + 1):
        rows, columns = own[own < len(named)], own[own >= len(named)] - len(named)
        shared = table[rows][:, columns].toarray()
        which, of_which = linear_sum_assignment(shared, maximize=True)
        right = shared[which, of_which] > 0
        named[rows[which[right]]] = columns[of_which[right]]
    return named


def _right(found: Ints, truth: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    named = np.append(names(found, truth), -1)[found]
    right: np.ndarray[tuple[int], np.dtype[np.bool_]] = (named == truth) & (truth >= 0)
    return right


def accuracy(found: Ints, truth: Ints) -> float:
    """Share of the picks of true events that are given to the right one: ACC of Shi et al. (2024), equation 14.

    Parameters
    ----------
    found : (n,) int
        Event of each pick, numbered from 0, or -1. How events are numbered does not matter.
    truth : (n,) int
        True event of each pick, numbered from 0, or -1.

    Examples
    --------
    >>> accuracy(np.array([1, 1, 0, -1]), np.array([0, 0, 1, 1]))
    0.75
    """
    return float(_right(found, truth).sum() / max((truth >= 0).sum(), 1))


def pick_scores(found: Ints, truth: Ints) -> Scores:
    """Picks with the right event, picks with any, and picks that should have one.

    Parameters
    ----------
    found, truth : (n,) int
        As for `accuracy`.
    """
    return Scores(int(_right(found, truth).sum()), int((found >= 0).sum()), int((truth >= 0).sum()))


def event_scores(found: Ints, truth: Ints, least: int = 1) -> Scores:
    """Events that share most of their picks with a true one, events that were found, and true events.

    Parameters
    ----------
    found, truth : (n,) int
        As for `accuracy`.
    least : int
        Least number of picks that a true event must have to count.
    """
    size, size_true = np.bincount(found[found >= 0]), np.bincount(truth[truth >= 0])
    of_name = np.bincount(found[_right(found, truth)], minlength=len(size))
    right = (of_name >= SHARED * size) & (size > 0) & (of_name > 0)
    return Scores(int(right.sum()), int((size > 0).sum()), int((size_true >= least).sum()))


def confusion_factor(origin: Floats, arrival: Floats) -> float:
    """How little the order of arrivals at stations has to do with that of origin times: CF of Shi et al. (2024), equation 13.

    Parameters
    ----------
    origin : (n_events,) float
        Origin times, s.
    arrival : (n_events, n_stations) float
        Arrival times, s.

    Returns
    -------
    float
        From 0, where events arrive everywhere in the order of their origin times, to 1.

    Examples
    --------
    >>> confusion_factor(np.array([0.0, 1.0]), np.array([[5.0, 9.0], [7.0, 8.0]]))
    1.0
    """
    taus = [kendalltau(origin, times).statistic for times in arrival.T]
    return float(1 - max(np.mean(taus), 0.0))
