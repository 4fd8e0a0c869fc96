"""Mixtures around points: the groups that are there, the density that is drawn from."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from vip.algorithms.mixtures import Mixture, around


def ball(rng, n, d):
    """Points that are uniform in a ball."""
    x = rng.standard_normal((n, d))
    return x * (rng.random((n, 1)) ** (1 / d) / np.linalg.norm(x, axis=1, keepdims=True))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("d", [2, 5, 10])
def test_one_heap_is_one_group_and_two_are_two(d, seed):
    """A fifth of the points apart from the rest: neither along an axis nor along the longest one."""
    rng = np.random.default_rng(seed)
    stretch = np.linalg.qr(rng.standard_normal((d, d)))[0] * np.geomspace(1, 30, d)
    heap = ball(rng, 500, d)
    assert len(around(heap @ stretch.T, 30)[0].counts) == 1
    assert len(around(rng.logistic(size=(500, d)) @ stretch.T, 30)[0].counts) == 1
    heap[:100] = heap[:100] / 3 + 3 / np.sqrt(d)
    mixture, order = around(heap @ stretch.T, 30)
    assert sorted(mixture.counts.tolist()) == [100, 400]
    first = order[: mixture.counts[0]]
    assert set(first // 100) <= ({0} if mixture.counts[0] == 100 else {1, 2, 3, 4})
    assert_array_equal(np.sort(order), np.arange(500))


def test_a_ring_is_many_groups():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, 600)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(0.98, 1.02, (600, 1))
    mixture, _ = around(ring, 30)
    radius = np.linalg.norm(mixture.draw(2000, rng), axis=1)
    assert len(mixture.counts) > 8
    assert np.mean(np.abs(radius - 1) < 0.1) > 0.9  # of one Gaussian: a sixth


def test_its_density_is_what_it_draws():
    """Against SciPy's Gaussians, up to the constant; and places that are drawn, against the moments."""
    rng = np.random.default_rng(2)
    roots = np.tril(rng.standard_normal((2, 3, 3))) + 2 * np.eye(3)
    mixture = Mixture(rng.standard_normal((2, 3)), roots, np.array([30, 10]))
    x = 3 * rng.standard_normal((7, 3))
    gaussians = [stats.multivariate_normal(c, r @ r.T) for c, r in zip(mixture.centres, roots, strict=True)]
    expected = np.log(0.75 * gaussians[0].pdf(x) + 0.25 * gaussians[1].pdf(x)) + 1.5 * np.log(2 * np.pi)
    assert_allclose(mixture.log_density(x), expected, rtol=1e-10)
    mean = 0.75 * mixture.centres[0] + 0.25 * mixture.centres[1]
    second = sum(w * (r @ r.T + np.outer(c, c)) for w, c, r in zip([0.75, 0.25], mixture.centres, roots, strict=True))
    drawn = mixture.draw(200_000, rng)
    assert_allclose(drawn.mean(axis=0), mean, atol=0.03)
    assert_allclose(drawn.T @ drawn / len(drawn), second, atol=0.15)


def test_points_in_a_plane_or_at_one_place_have_a_density_too():
    rng = np.random.default_rng(3)
    plane = rng.standard_normal((50, 3)) * [1, 0, 2]
    assert np.isfinite(around(plane, 30)[0].log_density(plane)).all()
    assert np.isfinite(around(np.ones((50, 3)), 30)[0].log_density(np.ones((1, 3)))).all()
