"""Metrics: what they learn of known distributions, and that their maps belong together."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.algorithms.metrics import (
    DIAGONAL,
    Covariance,
    LowRank,
    Metric,
    diagonal,
)

RNG = np.random.default_rng


def gaussian(d=12, stiff=4):
    """A precision with a few large eigenvalues beside ones, and a mean."""
    rng = RNG(1)
    vectors = np.linalg.qr(rng.standard_normal((d, stiff)))[0]
    return np.eye(d) + vectors * (np.array([20.0, 50, 100, 400])[:stiff]) @ vectors.T, rng.standard_normal(d)


def some_metric(d=6):
    rng = RNG(2)
    return Metric(rng.uniform(0.1, 10, d), np.linalg.qr(rng.standard_normal((d, 2)))[0], np.array([0.2, 5.0]))


def test_maps_belong_together():
    metric = some_metric()
    x, g = RNG(3).standard_normal((2, 4, 6))
    y = metric.whiten(x)
    assert_allclose(metric.unwhiten(y), x, rtol=1e-12)
    # The chain rule: g . dx = pull(g) . dy.
    assert_allclose((metric.pull(g) * y).sum(axis=1), (g * x).sum(axis=1), rtol=1e-12)
    root = metric.whiten(np.eye(6)).T
    scaled = np.diag(metric.scale)
    stretches = np.eye(6) + metric.basis * (metric.stretch**2 - 1) @ metric.basis.T
    assert_allclose(root.T @ root, scaled @ stretches @ scaled, rtol=1e-12)


def test_diagonals():
    x, g = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]]), np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    start = np.array([[-1.0, -2.0], [1.0, 2.0]])
    expected = {
        "none": [1, 1],
        "variance": [1 + 3 / 8, 1e12],
        "gradient": [1 + 14 / 3, 1 / 4],
        "rmsprop": [np.sqrt(14 / 3), 1e-6],
    }
    for name, precision in expected.items():
        estimate = DIAGONAL[name].init(start)
        assert_allclose(DIAGONAL[name].metric(estimate).scale ** 2, [1, 1] if name == "none" else [1, 1 / 4])
        metric = DIAGONAL[name].metric(DIAGONAL[name].update(estimate, x, g))
        assert_allclose(metric.scale**2, precision, rtol=1e-12)


def test_diagonals_are_averaged():
    """The mean over the first iterations, later over about a hundred: old ones are forgotten."""
    estimator, x = DIAGONAL["gradient"], np.zeros((2, 1))
    estimate = estimator.init(np.array([[-1e6], [1e6]]))
    for size in (1.0, 2.0, 3.0):
        estimate = estimator.update(estimate, x, np.full((2, 1), size))
    assert_allclose(estimate.mean, 14 / 3, rtol=1e-9)
    for _ in range(2000):
        estimate = estimator.update(estimate, x, np.full((2, 1), 5.0))
    assert_allclose(estimate.mean, 25, rtol=1e-6)


def test_covariance_is_learnt():
    precision, mean = gaussian(5, 2)
    factor = np.linalg.cholesky(np.linalg.inv(precision))
    estimator, rng = Covariance(), RNG(4)
    estimate = estimator.init(rng.standard_normal((20, 5)))
    for _ in range(401):
        estimate = estimator.update(estimate, mean + rng.standard_normal((20, 5)) @ factor.T, np.zeros((20, 5)))
    root = estimator.metric(estimate).whiten(np.eye(5)).T
    # 2,000 samples in effect: entries of the covariance are known to sqrt(2 / 2000) = 3 %.
    assert_allclose(root @ np.linalg.inv(precision) @ root.T, np.eye(5), atol=0.15)


def test_curvature_of_a_gaussian_is_found_from_any_particles():
    """Not samples of it: two differences of gradients for each direction suffice, as its secants are exact."""
    precision, mean = gaussian()
    estimator, rng = LowRank(12), RNG(5)
    estimate = estimator.init(rng.standard_normal((8, 12)))
    for _ in range(11):
        x = 3 + 5 * rng.standard_normal((8, 12))
        estimate = estimator.update(estimate, x, -(x - mean) @ precision)
    root = estimator.metric(estimate).whiten(np.eye(12)).T
    eigenvalues = np.linalg.eigvalsh(root @ np.linalg.inv(precision) @ root.T)
    assert eigenvalues.min() > 0.9
    assert eigenvalues.max() < 1.1


def test_low_rank_takes_the_stiffest_directions():
    """All of four stiff directions are found, and the rest is left as it is."""
    precision, mean = gaussian(200)
    estimator, rng = LowRank(10), RNG(6)
    factor = np.linalg.cholesky(np.linalg.inv(precision))
    estimate = estimator.init(rng.standard_normal((20, 200)))
    for _ in range(41):
        x = mean + rng.standard_normal((20, 200)) @ factor.T
        estimate = estimator.update(estimate, x, -(x - mean) @ precision)
    root = estimator.metric(estimate).whiten(np.eye(200)).T
    eigenvalues = np.linalg.eigvalsh(root @ np.linalg.inv(precision) @ root.T)
    assert np.linalg.cond(precision) > 300
    assert eigenvalues.max() / eigenvalues.min() < 30


@pytest.mark.parametrize("rank", [1, 5])
def test_low_rank_of_fewer_entries_than_its_rank(rank):
    estimator = LowRank(rank)
    x = RNG(7).standard_normal((4, 2))
    estimate = estimator.update(estimator.init(x), x, -x)
    metric = estimator.metric(estimate)
    assert metric.basis.shape == (2, min(rank, 2))
    assert_allclose(metric.unwhiten(metric.whiten(x)), x, rtol=1e-12)


def test_diagonal_metric():
    assert_allclose(diagonal(np.array([4.0])).pull(np.array([[1.0]])), [[0.5]])
