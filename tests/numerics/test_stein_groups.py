"""The direction of SVGD with a kernel for each group of entries: against its slow twin, closed forms, and itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from vip.kernels_c.stein_groups import direction, reference


def scattered_groups(rng, n_groups, largest=5):
    """Labels of groups of different sizes, in any order."""
    return rng.permutation(np.repeat(np.arange(n_groups), rng.integers(1, largest + 1, n_groups)))


def random_input(n, n_groups=7, seed=0):
    """Particles and gradients whose entries differ in scale, and groups."""
    rng = np.random.default_rng(seed)
    groups = scattered_groups(rng, n_groups)
    x, g = rng.standard_normal((2, n, len(groups)))
    return x * rng.uniform(0.1, 10, len(groups)), g, groups


def assert_agree(found, expected, rtol=1e-13):
    """To rounding of the largest value of each entry: what particles do to each other nearly cancels in some."""
    assert found.shape == expected.shape
    assert np.abs((found - expected) / np.abs(expected).max(axis=0)).max() < rtol


# The slow twin


@pytest.mark.parametrize("widening", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 64, 150])
def test_native_is_its_twin(n, widening):
    """Numbers of pairs odd and even, and rows that end anywhere in a register."""
    x, g, groups = random_input(n)
    assert_agree(direction(x, g, groups, widening), reference.direction(x, g, groups, widening))


@pytest.mark.parametrize("n", [300, 1000])
def test_many_particles(n):
    x, g, groups = random_input(n, n_groups=2)
    assert_agree(direction(x, g, groups), reference.direction(x, g, groups))


def test_a_group_of_many_entries():
    x, g = np.random.default_rng(1).standard_normal((2, 20, 70))
    assert_agree(direction(x, g, np.zeros(70, int)), reference.direction(x, g, np.zeros(70, int)))


@pytest.mark.parametrize(
    "prepare",
    [
        np.asfortranarray,
        lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
        lambda a: a.tolist(),
        lambda a: np.frombuffer(b" " + a.tobytes(), np.uint8)[1:].view(float).reshape(a.shape),
    ],
    ids=["Fortran", "strided", "backwards", "list", "unaligned"],
)
def test_memory_order_does_not_matter(prepare):
    x, g, groups = random_input(11)
    expected = direction(x, g, groups)
    assert_array_equal(direction(prepare(x), g, groups), expected)
    assert_array_equal(direction(x, prepare(g), groups), expected)


def test_other_real_types_are_taken():
    x, g, groups = random_input(11)
    whole = np.round(3 * x)
    assert_array_equal(direction(whole.astype(np.int16), g, groups.astype(np.uint8)), direction(whole, g, groups))
    assert_array_equal(direction(x.astype(np.float32), g, groups), direction(x.astype(np.float32).astype(float), g, groups))


def test_input_is_left_alone():
    x, g, groups = random_input(11)
    before = x.copy(), g.copy(), groups.copy()
    direction(x, g, groups)
    for array, copy in zip((x, g, groups), before, strict=True):
        assert_array_equal(array, copy)


# The median


@pytest.mark.parametrize("n_far", range(12))
def test_the_median_is_that_of_numpy_with_ties_and_outliers(n_far):
    """Whole numbers have many equal distances; and particles far away leave few of them near the median."""
    rng = np.random.default_rng(2)
    for n in (4, 5, 12, 13, 40, 41):
        x = rng.integers(0, 4, (n, 2)).astype(float)
        x[: min(n_far, n)] *= 1e8
        g = rng.standard_normal(x.shape)
        groups = np.zeros(2, int)
        assert_agree(direction(x, g, groups), reference.direction(x, g, groups))


@pytest.mark.parametrize("n", [6, 7, 16, 17, 60, 61, 150])
def test_the_median_is_exact(n):
    """Particles on a line in any order. A wrong rank would move the bandwidth by more than what is allowed."""
    rng = np.random.default_rng(3)
    for power in (0.5, 1, 3, 8):
        x = rng.permutation(np.arange(n, dtype=float) ** power)[:, None]
        zero, groups = np.zeros_like(x), np.zeros(1, int)
        assert_agree(direction(x, zero, groups), reference.direction(x, zero, groups), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 9, 150])
def test_particles_that_coincide_do_not_part(n):
    """All: the gradients' mean. Most: the median is zero, h the widening."""
    g = np.random.default_rng(4).standard_normal((n, 2))
    x = np.full((n, 2), 0.7)
    assert_allclose(direction(x, g, [0, 0]), np.broadcast_to(g.mean(axis=0), g.shape), rtol=0, atol=1e-15)
    if n > 4:
        x[0] += 2
        for widening in (1.0, 3.0):
            expected = (g[0] + (n - 1) * np.exp(-4 / widening**2) * (g[1:].mean(axis=0) + 2 / widening**2)) / n
            assert_allclose(direction(x, g, [0, 0], widening)[0], expected, rtol=1e-13)


# Closed forms and symmetries


def test_two_particles():
    """With one pair, s / h^2 = 2 log 2 and K = 1/2 whatever the distance s."""
    x, g = np.array([[1.0, 2.0], [4.0, 6.0]]), np.array([[0.3, -1.0], [2.0, 5.0]])
    push = (x[0] - x[1]) * 2 * np.log(2) / 25
    expected = [(g[0] + (g[1] + push) / 2) / 2, (g[1] + (g[0] - push) / 2) / 2]
    assert_allclose(direction(x, g, [0, 0]), expected, rtol=1e-14)


def test_one_particle_follows_its_gradient():
    g = np.array([[0.3, -1.0, 7.0]])
    assert_array_equal(direction([[1.0, 2.0, 3.0]], g, [1, 0, 1]), g)


@pytest.mark.parametrize("n", [2, 9, 150])
def test_without_gradients_the_forces_sum_to_zero(n):
    x, g, groups = random_input(n)
    phi = direction(x, 0 * g, groups)
    assert np.abs(phi.sum(axis=0)).max() < 1e-14 * np.abs(phi).sum(axis=0).max()
    assert (np.abs(phi).sum(axis=0) > 0).all()


@pytest.mark.parametrize("offset", [8.0, -1024.0, 2.0**30])
def test_the_origin_does_not_matter(offset):
    """To the last bit: particles on multiples of 2^-16 lose no digits when moved by so much."""
    x, g, groups = random_input(33)
    x = np.round(x * 2**16) / 2**16
    assert_array_equal(direction(x + offset, g, groups), direction(x, g, groups))


def test_scale():
    """Particles twice as far apart are pushed half as much, and gradients act the same."""
    x, g, groups = random_input(33)
    assert_array_equal(direction(2 * x, 0 * g, groups), direction(x, 0 * g, groups) / 2)
    pull = direction(x, g, groups) - direction(x, 0 * g, groups)
    assert_agree(direction(2 * x, g, groups) - direction(2 * x, 0 * g, groups), pull)


def test_order_of_particles_entries_and_labels():
    x, g, groups = random_input(33)
    rng, phi = np.random.default_rng(5), direction(x, g, groups)
    particles, entries, labels = (rng.permutation(n) for n in (*x.shape, groups.max() + 1))
    assert_agree(direction(x[particles], g[particles], groups), phi[particles])
    assert_agree(direction(x[:, entries], g[:, entries], groups[entries]), phi[:, entries])
    assert_array_equal(direction(x, g, labels[groups]), phi)


def test_far_particles_follow_their_own_gradient():
    """Exponents are cut off long before they would overflow; what is left is nothing beside the gradient."""
    x, g, groups = np.random.default_rng(6).standard_normal((20, 1)), np.ones((20, 1)), [0]
    x[3] = 1e90
    phi = direction(x, g, groups)
    assert np.isfinite(phi).all()
    assert phi[3, 0] == 1 / 20


# What does not change the result


@pytest.mark.parametrize("n", [2, 9, 150])
def test_results_depend_neither_on_threads_nor_on_other_groups(n):
    x, g, groups = random_input(n, n_groups=23)
    together = direction(x, g, groups, 1.3)
    assert_array_equal(direction(x, g, groups, 1.3, threads=3), together)
    for group in range(23):
        own = groups == group
        alone = direction(x[:, own], g[:, own], np.zeros(own.sum(), int), 1.3)
        assert_array_equal(together[:, own], alone)


# Refusals


RIGHT = {"particles": np.zeros((4, 3)), "gradient": np.zeros((4, 3)), "groups": [0, 1, 0]}


def spoilt(value):
    array = np.zeros((4, 3))
    array[2, 1] = value
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"particles": spoilt(np.nan)}, "particles: particle 2, entry 1: nan: must be from -1e"),
        ({"gradient": spoilt(np.nan)}, "gradient: particle 2, entry 1: nan: must be from -1e"),
        ({"particles": spoilt(np.inf)}, "particles: particle 2, entry 1: inf"),
        ({"particles": spoilt(np.inf).astype(np.float32)}, "particles: particle 2, entry 1: inf"),
        ({"gradient": spoilt(-1e101)}, r"gradient: particle 2, entry 1: -1e\+101"),
        ({"particles": np.zeros(3)}, r"particles: shape \(3,\): expected \(n, d\)"),
        ({"particles": np.zeros((0, 3))}, r"particles: shape \(0, 3\): expected \(n, d\)"),
        ({"particles": np.zeros((4, 0))}, r"particles: shape \(4, 0\): expected \(n, d\)"),
        ({"gradient": np.zeros((3, 4))}, r"gradient: shape \(3, 4\): expected \(4, 3\)"),
        ({"groups": [0, 1]}, r"groups: shape \(2,\): expected \(3,\)"),
        ({"groups": [[0, 1, 0]]}, r"groups: shape \(1, 3\): expected \(3,\)"),
        ({"groups": [0, -1, 0]}, "groups: entry 1: -1: must be from 0 to 2"),
        ({"groups": [0, 1, 3]}, "groups: entry 2: 3: must be from 0 to 2"),
        ({"groups": np.array([0, 1, 2**63], np.uint64)}, "groups: entry 2: 9223372036854775808"),
        ({"groups": [0, 2, 0]}, "groups: none is 1: labels must be all from 0 to the largest, 2"),
        ({"widening": 0.0}, "widening: 0.0: must be from 1e-06"),
        ({"widening": -1.0}, "widening: -1.0: must be from 1e-06"),
        ({"widening": np.nan}, "widening: nan: must be from 1e-06"),
        ({"widening": np.inf}, "widening: inf: must be from 1e-06"),
        ({"threads": 0}, "threads: 0: must be at least 1"),
    ],
)
def test_wrong_values_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        direction(**{**RIGHT, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"particles": np.zeros((4, 3), complex)}, "particles: dtype complex128: expected real numbers"),
        ({"gradient": np.full((4, 3), "a")}, "gradient: dtype <U1: expected real numbers"),
        ({"gradient": np.zeros((4, 3), bool)}, "gradient: dtype bool: expected real numbers"),
        ({"groups": [0.0, 1.0, 0.0]}, "groups: dtype float64: expected integers"),
    ],
)
def test_wrong_types_are_refused(change, message):
    with pytest.raises(TypeError, match=message):
        direction(**{**RIGHT, **change})
