"""Kernels between particles: distances, bandwidths, memory. Their drift is in contracts/test_posteriors.py."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist, pdist

from vip.algorithms.stein_kernels import RBF, drift, squared_distances


def particles(n, d, seed=1):
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.mark.parametrize("order", ["C", "F", "strided"])
@pytest.mark.parametrize("shape", [(2, 1), (7, 3), (5, 2048), (5, 5000)])
def test_squared_distances(shape, order):
    x = particles(*shape)
    expected = cdist(x, x, "sqeuclidean")
    given = {"C": x, "F": np.asfortranarray(x), "strided": np.repeat(x, 2, axis=1)[:, ::2]}[order]
    before = given.copy()
    result = squared_distances(given)
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
def test_median_bandwidth_leaves_the_diagonal_out(n):
    """The median is that of distances between different particles; the zeros of n = 3 with themselves would lower it most."""
    x = particles(n, 5)
    median = np.median(pdist(x) ** 2)
    K, h = RBF()(x)
    assert h == pytest.approx(np.sqrt(median / (2 * np.log(n))), rel=1e-12)
    assert_allclose(K, np.exp(-squared_distances(x) / (2 * h**2)), rtol=1e-12)


def test_bandwidth_given_is_used():
    K, h = RBF(bandwidth=2.0)(np.array([[0.0], [2.0]]))
    assert h == 2.0
    assert_allclose(K, [[1, np.exp(-0.5)], [np.exp(-0.5), 1]], rtol=1e-15)


def test_one_particle_climbs():
    """Without others, eq. 17 is plain gradient ascent."""
    g = particles(1, 3)
    assert_allclose(RBF().direction(particles(1, 3), g), g, rtol=1e-14)


def test_drift_far_from_the_origin():
    """A common offset, such as a depth in m, costs only its own rounding: a few times 1e6 x 1e-16 over h^2."""
    x, g = particles(5, 3), particles(5, 3, seed=4)
    K, h = RBF()(x)
    shifted = (x + 1e6) - 1e6  # what rounding leaves of them
    assert_allclose(drift(x + 1e6, g, K, h), drift(shifted, g, K, h), rtol=0, atol=5e-9)


def test_memory():
    """Beside its result (n, d) the direction needs blocks of columns, not copies of the particles."""
    n, d = 100, 20_000
    x, g = particles(n, d), particles(n, d, seed=5)
    tracemalloc.start()
    try:
        RBF().direction(x, g)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2 * x.nbytes
