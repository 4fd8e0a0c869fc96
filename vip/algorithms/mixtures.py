"""Mixtures of Gaussians around points, as many as the points form groups.

A group is cut in two where that describes its points better, by the Bayesian information criterion (Pelleg & Moore 2000, here
with covariances). Nothing is drawn at random but places from a mixture.

Shapes: n points, d coordinates, k groups.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.protocols import Floats

Ints = NDArray[np.intp]

SMALLEST, PER_COORDINATE = 12, 4
"""Least number of points in a group, and for each coordinate: a covariance of fewer is mostly chance."""
LLOYD = 5
"""Number of iterations of 2-means, which only proposes where to cut."""
TINY = 1e-12
"""Least variance over the largest one, so that points in a plane have a density too."""


class Mixture(NamedTuple):
    """Gaussians with the means and covariances of groups of points, each as heavy as its group."""

    centres: Floats
    """Means (k, d)."""
    roots: Floats
    """Lower triangular roots (k, d, d) of the covariances."""
    counts: Ints
    """Numbers (k,) of points in the groups."""

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw places (n, d)."""
        which = rng.choice(len(self.counts), n, p=self.counts / self.counts.sum())
        noise = rng.standard_normal((n, self.centres.shape[1]))
        places: Floats = self.centres[which] + np.einsum("nij,nj->ni", self.roots[which], noise)
        return places

    def log_density(self, places: Floats) -> Floats:
        """Log-density (n,) at places (n, d), up to a constant that is the same for every mixture in d coordinates.

        Examples
        --------
        >>> circle = Mixture(np.zeros((1, 2)), np.eye(2)[None], np.array([7]))
        >>> circle.log_density(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
        [0.0, -12.5]
        """
        white = np.linalg.inv(self.roots) @ (places.T[None] - self.centres[:, :, None])
        log_share = np.log(self.counts / self.counts.sum()) - _log_determinants(self.roots)
        each = log_share[:, None] - 0.5 * (white**2).sum(axis=1)
        highest = each.max(axis=0)
        found: Floats = np.log(np.exp(each - highest).sum(axis=0)) + highest
        return found


def around(points: Floats, most: int) -> tuple[Mixture, Ints]:
    """The mixture around points (n, d), of about `most` groups at most, and the order (n,) that puts points group by group."""
    n, d = points.shape
    groups = _groups(points, np.arange(n), max(SMALLEST, PER_COORDINATE * d, n // most))
    members, centres, roots = zip(*groups, strict=True)
    return Mixture(np.stack(centres), np.stack(roots), np.array([len(each) for each in members])), np.concatenate(members)


class _Group(NamedTuple):
    """Points of one Gaussian: their numbers, its mean and root."""

    members: Ints
    centre: Floats
    root: Floats


def _groups(points: Floats, members: Ints, smallest: int) -> list[_Group]:
    """The groups of some of the points: one, or those of its two halves, if these describe the points better."""
    whole = _group(points, members)
    if len(members) < 2 * smallest:
        return [whole]
    right = _halved(np.asarray(np.linalg.solve(whole.root, (points[members] - whole.centre).T).T, np.float64))
    if not smallest <= right.sum() <= len(right) - smallest:
        return [whole]
    parts = [part for half in (members[~right], members[right]) for part in _groups(points, half, smallest)]
    d = points.shape[1]
    cost = 0.5 * (len(parts) - 1) * (1 + d + d * (d + 1) / 2) * math.log(len(members))
    return parts if _fit(parts) - cost > _fit([whole]) else [whole]


def _group(points: Floats, members: Ints) -> _Group:
    own = points[members]
    centre = own.mean(axis=0)
    covariance = (own - centre).T @ (own - centre) / max(len(own) - 1, 1)
    floor = max(TINY * float(covariance.diagonal().max()), np.finfo(float).tiny)
    return _Group(members, centre, np.linalg.cholesky(covariance + floor * np.eye(len(centre))))


def _fit(groups: list[_Group]) -> float:
    """Log-likelihood of all points of the groups, each in its own, but for what is the same whatever the groups."""
    counts = np.array([len(group.members) for group in groups])
    log_share = np.log(counts / counts.sum()) - _log_determinants(np.stack([group.root for group in groups]))
    return float(counts @ log_share)


def _log_determinants(roots: Floats) -> Floats:
    found: Floats = np.log(np.diagonal(roots, axis1=-2, axis2=-1)).sum(axis=-1)
    return found


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
