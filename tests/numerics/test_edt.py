"""The equal-differential-time kernel against closed forms, against its slow twin, and against itself.

"Measured" in a comment is the largest value seen over several seeds; the bound beside it leaves room for others.
"""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from vip.kernels_c.edt import log_edt, reference

TOLERANCE = 1e-10  # the kernel's own choice


def random_picks(rng, n_particles, n_picks, sigma=(0.1, 2.0), outliers=0.1):
    """Residuals as the sigmas say, but for outliers of up to 300 s; variances; weights."""
    sigma = rng.uniform(*sigma, (n_particles, n_picks))
    residual = rng.normal(size=sigma.shape) * sigma
    residual += rng.uniform(-300, 300, sigma.shape) * (rng.uniform(size=sigma.shape) < outliers)
    return residual, sigma**2, rng.uniform(0.5, 2, n_picks)


def starts(*lengths):
    return np.concatenate([[0], np.cumsum(lengths)])


def assert_agree(result, expected, variance, tolerance):
    """All to `tolerance`, that of S and relative; the gradients to 30 times this in units of the sharpest pick.

    Beside it come the rounding of log S itself and of the exponents of pairs that are far apart.
    """
    least, rounding = variance.min(axis=1, keepdims=True), 1e-13 * np.abs(expected[0]).max()
    assert_allclose(result[0], expected[0], rtol=0, atol=tolerance + rounding)
    assert np.abs((result[1] - expected[1]) * np.sqrt(least)).max() < 30 * tolerance + rounding
    assert np.abs((result[2] - expected[2]) * least).max() < 30 * tolerance + rounding


# Closed forms


@pytest.mark.parametrize("distance", [0.0, 1e-9, 0.3, 5.0, 100.0, 1e6])
def test_two_picks(distance):
    v, w = np.array([0.01, 0.04]), np.array([0.5, 3.0])
    log_sum, by_residual, by_variance = log_edt([[7.0 + distance, 7.0]], [v], [0, 2], w)
    d, s = 7.0 + distance - 7.0, v.sum()
    assert_allclose(log_sum, [[np.log(1.5) - np.log(s) / 2 - d**2 / s]], rtol=1e-14)
    assert_allclose(by_residual, [[-2 * d / s, 2 * d / s]], rtol=1e-14)
    assert_allclose(by_variance, [[d**2 / s**2 - 0.5 / s] * 2], rtol=1e-12, atol=1e-13)


def test_three_picks_by_hand():
    """All v = 1/2: S = exp(-1) + exp(-9) + exp(-4) for residuals 0, 1 and 3."""
    terms = np.exp([-1.0, -9.0, -4.0])  # of pairs (0, 1), (0, 2) and (1, 2)
    log_sum, by_residual, by_variance = log_edt([[0.0, 1.0, 3.0]], np.full((1, 3), 0.5), [0, 3])
    assert_allclose(log_sum, [[np.log(terms.sum())]], rtol=1e-14)
    slopes = np.array([[2, 6, 0], [-2, 0, 4], [0, -6, -4]]) @ terms / terms.sum()
    assert_allclose(by_residual[0], slopes, rtol=1e-13)
    by_v = np.array([[0.5, 8.5, 0], [0.5, 0, 3.5], [0, 8.5, 3.5]]) @ terms / terms.sum()
    assert_allclose(by_variance[0], by_v, rtol=1e-13)


@pytest.mark.parametrize("n", [2, 30, 700])
@pytest.mark.parametrize("tolerance", [0, TOLERANCE])
def test_equal_residuals(n, tolerance):
    """S = n (n - 1) / 2 (2 v)^(-1/2); each of n picks is in 2 / n of the pairs."""
    log_sum, by_residual, by_variance = log_edt(np.full((3, n), -4.2), np.full((3, n), 0.3), [0, n], tolerance=tolerance)
    assert_allclose(log_sum, np.log(n * (n - 1) / 2 / np.sqrt(0.6)), rtol=1e-10)
    assert_allclose(by_residual, 0, atol=1e-9)
    assert_allclose(by_variance, -0.5 / 0.6 * 2 / n, rtol=1e-8)


# The slow twin


def test_gradient_of_the_twin_is_its_complex_step():
    rng = np.random.default_rng(1)
    residual, variance, weight = random_picks(rng, 1, 12)
    r, v, step = residual[0], variance[0], 1e-30j * np.eye(12)
    by_r = [reference.log_sum_of_pairs(r + h, v, weight).imag / 1e-30 for h in step]
    by_v = [reference.log_sum_of_pairs(r, v + h, weight).imag / 1e-30 for h in step]
    for gradient, derivative in zip(reference.gradient_of_log_sum(r, v, weight), (by_r, by_v), strict=True):
        assert_allclose(gradient, derivative, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0, 1e4, 1e8], ids="spread {}".format)
@pytest.mark.parametrize("n_picks", [2, 3, 32, 130, 500])
@pytest.mark.parametrize("tolerance", [0, TOLERANCE, 1e-4])
def test_agrees_with_the_twin(n_picks, spread, tolerance):
    rng = np.random.default_rng(2)
    residual, variance, weight = random_picks(rng, 5, n_picks)
    residual *= spread
    result = log_edt(residual, variance, [0, n_picks], weight, tolerance)
    expected = reference.log_edt(residual, variance, [0, n_picks], weight)
    assert_agree(result, expected, variance, max(tolerance, 1e-13))


def test_one_event_among_many_is_that_event_alone():
    rng, start = np.random.default_rng(3), starts(2, 30, 200, 3, 7)
    residual, variance, weight = random_picks(rng, 11, start[-1])
    together = log_edt(residual, variance, start, weight)
    assert_agree(together, reference.log_edt(residual, variance, start, weight), variance, TOLERANCE)
    for e, (i, j) in enumerate(pairwise(start)):
        alone = log_edt(residual[:, i:j], variance[:, i:j], [0, j - i], weight[i:j])
        assert_array_equal(together[0][:, [e]], alone[0])
        for gradient, gradient_alone in zip(together[1:], alone[1:], strict=True):
            assert_array_equal(gradient[:, i:j], gradient_alone)


@pytest.mark.parametrize("n_picks", [20, 400])
def test_gradient_is_the_finite_difference(n_picks):
    rng, step = np.random.default_rng(4), 1e-5
    residual, variance, weight = random_picks(rng, 8, n_picks, sigma=(0.5, 2))
    directions = rng.normal(size=residual.shape), rng.normal(size=residual.shape) * variance
    _, *gradient = log_edt(residual, variance, [0, n_picks], weight)
    for direction, moved, by in zip(directions, [(step, 0), (0, step)], gradient, strict=True):
        after, before = (
            log_edt(residual + sign * moved[0] * direction, variance + sign * moved[1] * direction, [0, n_picks], weight)[0]
            for sign in (1, -1)
        )
        difference = (after - before)[:, 0] / (2 * step)
        # The difference is wrong by 1e-10 / 1e-5 where S is, and by the step squared.
        assert_allclose((by * direction).sum(axis=1), difference, rtol=0, atol=1e-5 * np.abs(difference).max())


# What does not change the result


@pytest.mark.parametrize("n_picks", [2, 31, 400])
def test_shift_of_all_residuals(n_picks):
    """The origin time cancels: nothing changes, and the gradient by residual sums to zero."""
    rng = np.random.default_rng(5)
    residual, variance, weight = random_picks(rng, 6, n_picks)
    result = log_edt(residual, variance, [0, n_picks], weight)
    shifted = log_edt(residual + 1234.5, variance, [0, n_picks], weight)
    assert_agree(shifted, result, variance, TOLERANCE)
    least = np.sqrt(variance.min(axis=1))
    assert np.abs(result[1].sum(axis=1) * least).max() < 30 * TOLERANCE


@pytest.mark.parametrize("n_picks", [2, 31, 400])
def test_order_of_the_picks(n_picks):
    rng = np.random.default_rng(6)
    residual, variance, weight = random_picks(rng, 6, n_picks)
    order = rng.permutation(n_picks)
    result = log_edt(residual, variance, [0, n_picks], weight)
    again = log_edt(residual[:, order], variance[:, order], [0, n_picks], weight[order])
    expected = result[0], *(gradient[:, order] for gradient in result[1:])
    assert_agree(again, expected, variance, TOLERANCE)


def test_units_of_time():
    """In milliseconds S is a thousandth: only ratios of times matter to the choice between the schemes."""
    residual, variance, weight = random_picks(np.random.default_rng(7), 4, 300)
    seconds = log_edt(residual, variance, [0, 300], weight)
    milliseconds = log_edt(1e3 * residual, 1e6 * variance, [0, 300], weight)
    expected = seconds[0] - np.log(1e3), seconds[1] / 1e3, seconds[2] / 1e6
    assert_agree(milliseconds, expected, 1e6 * variance, TOLERANCE)


def test_result_does_not_depend_on_the_batch():
    """To the last bit: alone or in a batch, at any place, on one thread or two, of few picks or of many."""
    rng, start = np.random.default_rng(8), starts(5, 120, 300)
    residual, variance, weight = random_picks(rng, 33, start[-1])
    residual[::3] *= 1e3  # in every third particle pairs are too far apart for the grid, and for a sum without logarithms
    alone = [log_edt(r[None], v[None], start, weight) for r, v in zip(residual, variance, strict=True)]
    alone = [np.concatenate(x) for x in zip(*alone, strict=True)]
    for n in (2, 7, 8, 9, 33):
        for first in (0, 5, 32):
            for threads in (1, 2):
                batch = (first + np.arange(n)) % 33
                result = log_edt(residual[batch], variance[batch], start, weight, threads=threads)
                for together, single in zip(result, alone, strict=True):
                    assert_array_equal(together, single[batch])


# The border of the two schemes


def test_direct_sum_and_grid_agree_at_their_border():
    """From the number of picks where no particle takes the grid to that where all do; all come within the tolerance."""
    rng, took_grid = np.random.default_rng(9), []
    for n_picks in range(60, 330, 15):
        residual, variance, weight = random_picks(rng, 16, n_picks)
        result, direct = (log_edt(residual, variance, [0, n_picks], weight, tolerance) for tolerance in (TOLERANCE, 0))
        assert_agree(result, direct, variance, TOLERANCE)
        took_grid.append(np.mean((result[1] != direct[1]).any(axis=1)))
    assert took_grid[0] == 0
    assert took_grid[-1] == 1


def test_grid_is_not_trusted_where_picks_are_far_apart():
    """A few close pairs among 400 lonely picks: the self terms would cancel the sum. The error stays below the tolerance."""
    rng = np.random.default_rng(10)
    lonely = np.arange(400) * 3.0 + rng.uniform(0, 0.1, (30, 400))
    variance = np.full(lonely.shape, 0.01)
    for gap in np.linspace(0.1, 2.9, 15):  # S from 1 to 1e-250 times the self terms
        residual = lonely.copy()
        residual[:, 1::2] += gap - 3
        result, direct = (log_edt(residual, variance, [0, 400], tolerance=tolerance) for tolerance in (TOLERANCE, 0))
        assert_agree(result, direct, variance, TOLERANCE)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("sigma", [(0.1, 2.0), (0.5, 0.6)])
def test_error_of_the_grid(sigma, tolerance):
    """The bound holds for the worst of residuals. For random ones, measured: 8e-4 of it in S, 2e-3 in the gradient."""
    residual, variance, weight = random_picks(np.random.default_rng(11), 40, 600, sigma)
    direct, result = (log_edt(residual, variance, [0, 600], weight, allowed) for allowed in (0, tolerance))
    assert (result[1] != direct[1]).any(axis=1).all()
    assert_agree(result, direct, variance, 0.01 * tolerance)


# Where S is zero


def test_a_particle_far_away_still_feels_a_pull():
    """All pairs 1000 sigma apart and more: S underflows, log S is that of the closest pair and so is its gradient."""
    residual, variance = np.array([[0.0, 1000.0, 2001.0, 3003.0]]), np.full((1, 4), 0.5)
    log_sum, by_residual, by_variance = log_edt(residual, variance, [0, 4])
    assert_allclose(log_sum, [[-1e6]], rtol=1e-15)
    assert_allclose(by_residual, [[2000, -2000, 0, 0]], rtol=1e-14, atol=1e-250)
    assert_allclose(by_variance, [[1e6, 1e6, 0, 0]], rtol=1e-6, atol=1e-250)


@pytest.mark.parametrize("n_picks", [3, 300])
def test_extreme_values(n_picks):
    """The ends of what is let in: finite, and as the twin says."""
    rng = np.random.default_rng(12)
    residual = rng.choice([-1e12, -1.0, 0.0, 1e-12, 1.0, 1e12], (6, n_picks))
    variance = 10 ** rng.uniform(-12, 12, residual.shape)
    weight = 10 ** rng.uniform(-12, 12, n_picks)
    result = log_edt(residual, variance, [0, n_picks], weight)
    expected = reference.log_edt(residual, variance, [0, n_picks], weight)
    assert all(np.isfinite(x).all() for x in result)
    assert_allclose(result[0], expected[0], rtol=1e-12, atol=1e-10)


# What goes in


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda x: np.repeat(x, 3, axis=1)[:, ::3],
        lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
        lambda x: np.lib.stride_tricks.as_strided(np.append(x, 0.0), x.shape, x.strides, writeable=False),
        lambda x: np.frombuffer(b"x" + x.tobytes(), np.float64, x.size, 1).reshape(x.shape),
        lambda x: x.astype(np.float32),
        lambda x: x.astype(">f8"),
        lambda x: x.tolist(),
    ],
    ids=["fortran", "strided", "reversed", "read-only", "unaligned", "float32", "big-endian", "list"],
)
def test_layout_and_dtype_of_the_input_do_not_matter(layout):
    rng, start = np.random.default_rng(13), starts(3, 150)
    residual, variance, weight = (x.astype(np.float32).astype(float) for x in random_picks(rng, 10, 153))
    given = layout(residual), layout(variance)
    result = log_edt(*given, start.astype(np.int16), np.repeat(weight, 2)[::2])
    for a, b in zip(result, log_edt(residual, variance, start, weight), strict=True):
        assert_array_equal(a, b)
    assert_array_equal(given[0], residual)  # left as it was


def test_variance_may_be_broadcast_and_weight_left_out():
    residual, variance, _ = random_picks(np.random.default_rng(14), 10, 20)
    same = np.broadcast_to(variance[0], residual.shape)
    for a, b in zip(log_edt(residual, same, [0, 20]), log_edt(residual, same.copy(), [0, 20], np.ones(20)), strict=True):
        assert_array_equal(a, b)


def replaced(value, fill):
    array = np.full((2, 5), fill)
    array[1, 3] = value
    return array


GOOD = {"residual": np.zeros((2, 5)), "variance": np.ones((2, 5)), "start": [0, 2, 5]}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("residual", replaced(np.nan, 0.0), "particle 1, pick 3: nan"),
        ("residual", replaced(np.inf, 0.0), "particle 1, pick 3: inf"),
        ("residual", np.zeros(5), r"\(5,\)"),
        ("residual", np.zeros((2, 0)), r"\(2, 0\)"),
        ("residual", np.zeros((2, 5), complex), "complex"),
        ("residual", np.full((2, 5), "0"), "<U1"),
        ("residual", np.zeros((2, 5), bool), "bool"),
        ("variance", replaced(np.nan, 1.0), "particle 1, pick 3: nan"),
        ("variance", replaced(0.0, 1.0), "particle 1, pick 3: 0.0"),
        ("variance", replaced(-1.0, 1.0), "particle 1, pick 3: -1.0"),
        ("variance", np.ones((2, 4)), r"\(2, 4\): expected \(2, 5\)"),
        ("variance", np.ones(5), r"\(5,\): expected \(2, 5\)"),
        ("weight", [1, 1, 0, 1, 1], "pick 2: 0.0"),
        ("weight", [1, 1, 1, 1, np.nan], "pick 4: nan"),
        ("weight", np.ones(4), r"\(4,\): expected \(5,\)"),
        ("start", [0, 1, 5], "event 0: from 0 to 1: expected two picks"),
        ("start", [0, 3, 2, 5], "event 1: from 3 to 2"),
        ("start", [1, 5], "from 1 to 5"),
        ("start", [0, 4], "from 0 to 4"),
        ("start", [0.0, 5.0], "float64"),
        ("start", [[0, 5]], r"\(1, 2\)"),
        ("start", [0], "from 0 to 0"),
        ("tolerance", -1e-3, "-0.001"),
        ("tolerance", np.nan, "nan"),
        ("tolerance", 0.1, "0.1"),
        ("threads", 0, "0"),
    ],
)
def test_refuses(name, value, says):
    with pytest.raises((ValueError, TypeError), match=f"{name}: .*{says}"):
        log_edt(**{**GOOD, name: value})
