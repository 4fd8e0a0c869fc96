"""Kernels between particles: distances, bandwidths, metrics, memory. Their drift is in contracts/test_posteriors.py."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist, pdist

from vip.algorithms.stein_kernels import (
    METRICS,
    RBF,
    drift,
    inverse_variance,
    mean_square_gradient,
    squared_distances,
    stein_direction,
)


def particles(n, d, seed=1):
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.mark.parametrize("order", ["C", "F", "strided"])
@pytest.mark.parametrize("shape", [(2, 1), (7, 3), (5, 2048), (5, 5000)])
@pytest.mark.parametrize("scaled", [False, True])
def test_squared_distances(shape, scaled, order):
    x = particles(*shape)
    metric = np.random.default_rng(2).uniform(0.1, 10, shape[1]) if scaled else None
    expected = cdist(x, x, "sqeuclidean", w=metric)
    given = {"C": x, "F": np.asfortranarray(x), "strided": np.repeat(x, 2, axis=1)[:, ::2]}[order]
    before = given.copy()
    result = squared_distances(given, metric)
    assert_allclose(result, expected, rtol=1e-12)
    assert_array_equal(result, result.T)
    assert_array_equal(np.diag(result), 0)
    assert_array_equal(given, before)


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_distances_of_close_particles_far_from_the_origin(offset):
    """Offsets of coordinates, such as depths in m, must not cancel the digits of small differences."""
    x = particles(6, 500) * 1e-2
    far = x + offset * (1 + np.arange(500))
    exact = cdist(far - far[0], far - far[0], "sqeuclidean")  # of the rounded numbers: their differences are exact
    assert_allclose(squared_distances(far), exact, rtol=1e-6)


def test_coincident_particles_have_no_distance():
    x = np.repeat(particles(1, 300) + 1e6, 4, axis=0)
    assert_array_equal(squared_distances(x), np.zeros((4, 4)))
    K, _ = RBF()(x)
    assert_array_equal(K, np.ones((4, 4)))


@pytest.mark.parametrize("n", [2, 3, 4, 9])
@pytest.mark.parametrize("scaled", [False, True])
def test_median_bandwidth_leaves_the_diagonal_out(n, scaled):
    """Of distances between different particles; the zeros of n = 3 with themselves would lower it most."""
    x = particles(n, 5)
    metric = np.array([1.0, 2, 3, 4, 5]) if scaled else None
    median = np.median(pdist(x * np.sqrt(1 if metric is None else metric)) ** 2)
    K, h = RBF(metric=metric)(x)
    assert h == pytest.approx(np.sqrt(median / (2 * np.log(n))), rel=1e-12)
    assert_allclose(K, np.exp(-squared_distances(x, metric) / (2 * h**2)), rtol=1e-12)


def test_bandwidth_given_is_used():
    K, h = RBF(bandwidth=2.0)(np.array([[0.0], [2.0]]))
    assert h == 2.0
    assert_allclose(K, [[1, np.exp(-0.5)], [np.exp(-0.5), 1]], rtol=1e-15)


def test_a_metric_is_a_change_of_coordinates():
    """Equivariance: with Q, the direction at x is Q^-1/2 times the scalar one at Q^1/2 x."""
    x, g, q = particles(6, 4), particles(6, 4, seed=3), np.array([0.1, 1.0, 7.0, 30.0])
    matrix_valued = stein_direction(x, g, RBF(metric=q))
    scalar = stein_direction(x * np.sqrt(q), g / np.sqrt(q), RBF())
    assert_allclose(matrix_valued, scalar / np.sqrt(q), rtol=1e-11)


def test_one_particle_climbs():
    """Without others, eq. 17 is plain gradient ascent."""
    g = particles(1, 3)
    assert_allclose(stein_direction(particles(1, 3), g, RBF()), g, rtol=1e-14)


def test_metrics():
    x, g = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]]), np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    assert {"variance": inverse_variance, "gradient": mean_square_gradient} == METRICS
    assert_allclose(inverse_variance(x, g), [3 / 8, 1e12], rtol=1e-14)
    assert_allclose(mean_square_gradient(x, g), [14 / 3, 1e-12], rtol=1e-14)


def test_drift_far_from_the_origin():
    """A common offset, such as a depth in m, costs only its own rounding: a few times 1e6 x 1e-16 over h^2."""
    x, g = particles(5, 3), particles(5, 3, seed=4)
    K, h = RBF()(x)
    shifted = (x + 1e6) - 1e6  # what rounding leaves of them
    assert_allclose(drift(x + 1e6, g, K, h), drift(shifted, g, K, h), rtol=0, atol=5e-9)


@pytest.mark.parametrize("scaled", [False, True])
def test_memory(scaled):
    """Beside its result (n, d) the direction needs blocks of columns, not copies of the particles."""
    n, d = 100, 20_000
    x, g = particles(n, d), particles(n, d, seed=5)
    kernel = RBF(metric=np.ones(d) if scaled else None)
    tracemalloc.start()
    try:
        stein_direction(x, g, kernel)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2 * x.nbytes
