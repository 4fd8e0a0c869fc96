"""The native lookup of seismograms: against its twin, a closed form, differences; and what it refuses."""

import numpy as np
import pytest

from vip.kernels_c.seismograms import Seismograms, reference


def random_table(rng, nodes=(5, 4, 6), rank=5, knots=37):
    values = rng.normal(size=(*(n + 2 for n in nodes), 6, rank)).astype(np.float32)
    return values, rng.normal(size=(rank, knots)).astype(np.float32)


def random_places(rng, nodes, n, knots=37):
    """Also on nodes, on the last ones, and with samples that begin before the first knot and end behind the last."""
    places = rng.uniform(0, 1, (n, 3)) * (np.array(nodes) - 1)
    places[0], places[1], places[2] = 0, np.array(nodes) - 1, np.rint(places[2])
    first = rng.uniform(-knots, knots, n)
    first[:3] = -2 * knots - 0.3, 3 * knots, np.rint(first[2])
    slopes = rng.uniform(0.1, 1, 3), rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
    return places, first, rng.uniform(0.1, 2, n), slopes


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("rank", "knots", "per_knot", "samples"), [(5, 37, 1, 50), (1, 2, 3, 7), (32, 64, 2, 129), (7, 33, 4, 2), (3, 96, 5, 1)]
)
def test_twin(rank, knots, per_knot, samples, seed):
    rng, nodes = np.random.default_rng(seed), (5, 2, 6)
    values, basis = random_table(rng, nodes, rank, knots)
    *given, slopes = random_places(rng, nodes, 9, knots)
    native, twin = Seismograms(values, basis, per_knot, samples), (values, basis)
    mix = (rng.normal(size=(9, 4)), rng.normal(size=(9, 4, 3))) if seed else None
    plain, nothing = native.lookup(*given, mix=mix)
    found, moved = native.lookup(*given, slopes, mix)
    truth, truth_moved = reference.lookup(*twin, *given[:2], per_knot, samples, given[2], slopes, mix)
    assert nothing is None
    np.testing.assert_allclose(plain, truth, atol=2e-6 * np.abs(truth).max(initial=1e-9) * np.sqrt(rank), rtol=0)
    np.testing.assert_allclose(found, plain, atol=2e-6 * np.abs(truth).max(initial=1e-9) * np.sqrt(rank), rtol=0)
    np.testing.assert_allclose(moved, truth_moved, atol=5e-6 * np.abs(truth_moved).max(initial=1e-9) * np.sqrt(rank), rtol=0)


def test_polynomials_are_exact():
    """Splines reproduce quadratic functions of space and time: a wrong order of axes, or a shift by a node, would show."""
    x, y, z = (np.arange(-1.0, n + 1) for n in (6, 7, 8))
    values = np.zeros((8, 9, 10, 6, 1))  # the spline through x^2 has coefficients x^2 - 1/3
    values[..., 2, 0] = np.add.outer(np.add.outer(x**2 - 1 / 3, -2 * y), 0.5 * (z**2 - 1 / 3) - z)
    basis = 3 + np.arange(-1.0, 41)[None] / 10
    place, first, per_knot = np.array([2.3, 4.6, 1.7]), 5.4, 2
    found, moved = Seismograms(values, basis, per_knot, 20).lookup(
        [place], [first], [2.0], (np.array([1.0, 2.0, 4.0]), [[0.3, 0, 0]], [[0, 0, 0.7]])
    )
    q = place[0] ** 2 - 2 * place[1] + 0.5 * place[2] ** 2 - place[2]
    b = 3 + (first - 1 + np.arange(20) / per_knot) / 10
    np.testing.assert_allclose(found[0, 2], 2 * q * b, rtol=2e-6)
    np.testing.assert_allclose(moved[0, 2, :, 0], 2 * (2 * place[0] * b + q * 0.1 * 0.3), rtol=1e-5)
    np.testing.assert_allclose(moved[0, 2, :, 1], 2 * (-4 * b), rtol=1e-5)
    np.testing.assert_allclose(moved[0, 2, :, 2], 2 * 4 * (place[2] - 1) * b + 0.7 * q * b, rtol=1e-5)
    assert not found[0, [0, 1, 3, 4, 5]].any()


def test_slopes_by_place():
    rng, nodes, step = np.random.default_rng(5), (6, 5, 7), 1e-2
    values, basis = random_table(rng, nodes)
    table = Seismograms(values, basis, 2, 60)
    places = rng.uniform(1, np.array(nodes) - 2, (8, 3))
    first, gain, zero = rng.uniform(-3, 9, 8), np.ones(8), np.zeros((8, 3))
    _, moved = table.lookup(places, first, gain, (np.ones(3), zero, zero))
    for axis in range(3):
        there, back = (table.lookup(places + sign * step * np.eye(3)[axis], first, gain)[0] for sign in (1, -1))
        assert np.abs((there - back) / (2 * step) - moved[..., axis]).max() < 2e-3 * np.abs(moved).max()


def test_neither_batch_nor_threads_change_a_bit():
    rng, nodes = np.random.default_rng(6), (5, 4, 6)
    table = Seismograms(*random_table(rng, nodes), 2, 40)
    *given, slopes = random_places(rng, nodes, 23)
    traces, moved = table.lookup(*given, slopes)
    for threads in (2, 3):
        again, moved_again = table.lookup(*given, slopes, threads=threads)
        np.testing.assert_array_equal(again, traces)
        np.testing.assert_array_equal(moved_again, moved)
    for i in (0, 7, 22):
        one = [values[i : i + 1] for values in given]
        alone, moved_alone = table.lookup(*one, (slopes[0], slopes[1][i : i + 1], slopes[2][i : i + 1]))
        np.testing.assert_array_equal(alone[0], traces[i])
        np.testing.assert_array_equal(moved_alone[0], moved[i])


def test_any_dtype_and_order():
    rng, nodes = np.random.default_rng(7), (5, 4, 6)
    values, basis = random_table(rng, nodes)
    values = values.astype(np.float16)
    places, first, gain, _ = random_places(rng, nodes, 6)
    truth, _ = Seismograms(values.astype(np.float32), basis, 1, 30).lookup(places, first, gain)
    strided = Seismograms(np.asfortranarray(values), np.repeat(basis, 2, axis=1)[:, ::2], 1, 30)
    found, _ = strided.lookup(np.asfortranarray(places), first[::-1][::-1], gain)
    np.testing.assert_array_equal(found, truth)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ({"basis": np.full((5, 37), np.nan)}, r"basis: entry \(0, 0\): nan"),
        ({"basis": np.zeros((4, 37))}, r"coefficients: shape \(7, 6, 8, 6, 5\): expected \(x, y, z, 6, 4\)"),
        ({"coefficients": np.zeros((7, 3, 8, 6, 5))}, "expected 4 or more along x, y and z"),
        ({"per_knot": 0}, "per_knot: 0: must be at least 1"),
        ({"places": [[0, 0, 5.01]]}, r"places: row 0: \[0\.0, 0\.0, 5\.01\] lies outside the grid"),
        ({"places": [[0, np.nan, 0]]}, "places: entry"),
        ({"first": [1e12]}, "first: entry 0"),
        ({"gain": [0.0]}, "gain: entry 0: 0.0: must be positive"),
        ({"slopes": (np.ones(3), np.ones((2, 3)), np.ones((1, 3)))}, r"slopes\[1\]: shape \(2, 3\): expected \(1, 3\)"),
    ],
)
def test_refused(made, text):
    values, basis = random_table(np.random.default_rng(0))
    table = {"coefficients": values, "basis": basis, "per_knot": 1, "samples": 9}
    asked = {"places": [[0, 0, 0]], "first": [0.0], "gain": [1.0], "slopes": None}
    with pytest.raises(ValueError, match=text):
        Seismograms(**{k: made.get(k, v) for k, v in table.items()}).lookup(**{k: made.get(k, v) for k, v in asked.items()})
