"""Ellipsoids around points, as many as the points form groups: where else points like them may be (Feroz, Hobson & Bridges 2009).

Shapes: n points, d coordinates, k ellipsoids.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from vip.protocols import Floats

Ints = NDArray[np.intp]

ENLARGED = 1.25
"""Volume of an ellipsoid over that of the smallest of its shape around its points, which miss the edge of where they are from."""
GAIN = 0.7
"""Largest volume of the parts over the whole for which a group of points is taken apart."""
SMALLEST, PER_COORDINATE = 12, 4
"""Least number of points in a group, and for each coordinate: a covariance of fewer is mostly chance."""
LLOYD = 5
"""Number of iterations of 2-means: it only proposes where to cut."""
TINY = 1e-12
"""Least variance over the largest one, so that points in a plane have an ellipsoid too."""


class Ellipsoids(NamedTuple):
    """Density that is uniform in each of several ellipsoids, in proportion to the points in it."""

    centres: Floats
    """Centres (k, d)."""
    roots: Floats
    """Lower triangular matrices (k, d, d): an ellipsoid is its centre plus its root times the unit ball."""
    counts: Ints
    """Number of points (k,) in the group of each."""

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw places (n, d)."""
        which = rng.choice(len(self.counts), n, p=self.counts / self.counts.sum())
        ball = rng.standard_normal((n, self.centres.shape[1]))
        ball *= (rng.random(n) ** (1 / ball.shape[1]) / np.linalg.norm(ball, axis=1))[:, None]
        return self.centres[which] + np.einsum("nij,nj->ni", self.roots[which], ball)

    def log_density(self, places: Floats) -> Floats:
        """Log-density (n,) at places (n, d); -inf outside all ellipsoids."""
        whitened = np.linalg.inv(self.roots) @ (places.T[None] - self.centres[:, :, None])
        inside = (whitened**2).sum(axis=1) <= 1
        log_share = np.log(self.counts / self.counts.sum()) - log_volumes(self.roots)
        highest = log_share.max()
        with np.errstate(divide="ignore"):
            found: Floats = np.log(np.exp(log_share - highest) @ inside) + highest
        return found


def log_volumes(roots: Floats) -> Floats:
    """Logarithms (k,) of the volumes of ellipsoids with roots (k, d, d).

    Examples
    --------
    >>> np.exp(log_volumes(2 * np.eye(2)[None])).round(3).tolist()  # a circle of radius 2
    [12.566]
    """
    d = roots.shape[-1]
    volumes: Floats = np.log(np.diagonal(roots, axis1=-2, axis2=-1)).sum(axis=-1)
    return volumes + d / 2 * math.log(math.pi) - gammaln(d / 2 + 1)


def around(points: Floats, most: int) -> tuple[Ellipsoids, Ints]:
    """Ellipsoids around the groups that points (n, d) form, and the order (n,) that puts the points group by group.

    A group is cut in two by 2-means, again and again, and stays so where the parts have together at most `GAIN` of its volume;
    there are about `most` parts at most. The ellipsoids may miss a part of where the points are from: a method that uses them
    must not rely on them.
    """
    n, d = points.shape
    groups = _groups(points, np.arange(n), max(SMALLEST, PER_COORDINATE * d, n // most))
    members, centres, roots, _ = zip(*groups, strict=True)
    return Ellipsoids(np.stack(centres), np.stack(roots), np.array([len(each) for each in members])), np.concatenate(members)


class _Group(NamedTuple):
    """Points of one ellipsoid: their numbers, its centre, root and log-volume."""

    members: Ints
    centre: Floats
    root: Floats
    log_volume: float


def _groups(points: Floats, members: Ints, smallest: int) -> list[_Group]:
    """The groups of some of the points: one, or those of its two halves."""
    whole = _group(points, members)
    if len(members) < 2 * smallest:
        return [whole]
    right = _halved(np.linalg.solve(whole.root, (points[members] - whole.centre).T).T)
    if not smallest <= right.sum() <= len(right) - smallest:
        return [whole]
    parts = [part for half in (members[~right], members[right]) for part in _groups(points, half, smallest)]
    volume = sum(math.exp(part.log_volume - whole.log_volume) for part in parts)
    return parts if volume < GAIN else [whole]


def _group(points: Floats, members: Ints) -> _Group:
    """The group with an ellipsoid of the shape of its points' covariance."""
    own = points[members]
    n, d = own.shape
    centre = own.mean(axis=0)
    apart = own - centre
    covariance = apart.T @ apart / max(n - 1, 1)
    floor = max(TINY * float(covariance.diagonal().max()), np.finfo(float).tiny)
    root = np.linalg.cholesky(covariance + floor * np.eye(d))
    furthest = float((np.linalg.solve(root, apart.T) ** 2).sum(axis=0).max())
    root = root * math.sqrt(max(furthest, 1.0)) * ENLARGED ** (1 / d)
    return _Group(members, centre, root, float(log_volumes(root[None])[0]))


def _halved(points: Floats) -> NDArray[np.bool_]:
    """Which whitened points (n, d) are in the second of two groups, by 2-means.

    White points have no longest axis: the first cut goes across the direction of the least kurtosis, as two equal heaps have,
    or of the largest, as a small heap beside a large one has (Cardoso 1989); the one that leaves tighter groups is taken.
    """
    _, directions = np.linalg.eigh((points * (points**2).sum(axis=1, keepdims=True)).T @ points)
    cuts = [_two_means(points, points @ directions[:, end] > 0) for end in (0, -1)]
    return max(cuts, key=lambda right: _between(points, right))


def _two_means(points: Floats, right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    for _ in range(LLOYD):
        if right.all() or not right.any():
            break
        centres = np.stack([points[~right].mean(axis=0), points[right].mean(axis=0)])
        now = (points - centres.mean(axis=0)) @ (centres[1] - centres[0]) > 0
        if np.array_equal(now, right):
            break
        right = now
    return right


def _between(points: Floats, right: NDArray[np.bool_]) -> float:
    """Sum of squares between two groups of points of mean zero."""
    share = right.mean()
    if share in (0, 1):
        return 0.0
    return float((points[right].mean(axis=0) ** 2).sum() * share / (1 - share))
