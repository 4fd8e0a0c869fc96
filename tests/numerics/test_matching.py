"""Matchings of predictions and picks, held to the assignment problem of SciPy and to the sum over every matching."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment

from vip.kernels_c.matching import Matching
from vip.kernels_c.matching.reference import gains, log_sum, matchings, probabilities


def channels(rng, sizes, round_to=None):
    """Predictions and picks of channels with these sizes; rounded, so that there are ties."""
    parts = []
    for n, m in sizes:
        times = [np.sort(rng.uniform(0, 3, size)) for size in (n, m)]
        if round_to:
            times = [np.round(t / round_to) * round_to for t in times]
        sigma = np.full(m, rng.uniform(0.1, 0.4))
        parts.append((times[0], rng.normal(1, 1, n), times[1], rng.normal(1, 1, m), sigma))
    starts = [np.concatenate([[0], np.cumsum(size)]) for size in np.array(sizes).T]
    return parts, Matching(*starts, *(np.concatenate(columns) for columns in zip(*parts, strict=True))), starts


def total(gain, match):
    return sum(gain[j, k] for j, k in enumerate(match) if k >= 0)


@pytest.mark.parametrize("round_to", [None, 0.5])
@pytest.mark.parametrize("seed", range(20))
def test_the_best_matching_is_that_of_the_assignment_problem(seed, round_to):
    rng = np.random.default_rng(seed)
    sizes = [(int(n), int(m)) for n, m in rng.integers(0, 30, (5, 2))]
    parts, matching, (first, first_pick) = channels(rng, sizes, round_to)
    match = matching.best()
    for c, part in enumerate(parts):
        own = match[first[c] : first[c + 1]]
        own = np.where(own >= 0, own - first_pick[c], -1)
        gain = gains(*part)
        used = own[own >= 0]
        assert len(set(used)) == len(used)
        assert (np.diff(used) > 0).all()  # matches do not cross
        rows, columns = linear_sum_assignment(-np.maximum(gain, 0))
        assert total(gain, own) == pytest.approx(np.maximum(gain, 0)[rows, columns].sum(), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 6))
def test_probabilities_are_shares_of_all_matchings(seed, n, m):
    rng = np.random.default_rng(seed)
    (part, other), matching, (first, first_pick) = channels(rng, [(n, m), (3, 2)])
    starts, pick, probability = matching.probabilities(reach=1e6)
    for c, each in enumerate((part, other)):
        dense = np.zeros((len(each[0]), len(each[2])))
        for j in range(len(dense)):
            pairs = slice(starts[first[c] + j], starts[first[c] + j + 1])
            dense[j, pick[pairs] - first_pick[c]] = probability[pairs]
        assert_allclose(dense, probabilities(gains(*each)), rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(0, 6))
def test_the_sum_over_all_matchings(seed, n, m):
    """Every channel has its own sum, also one without a pair between two others."""
    rng = np.random.default_rng(seed)
    (part, _, other), matching, _ = channels(rng, [(n, m), (2, 0), (3, 2)])
    *pairs, sums = matching.sums(reach=1e6)
    assert_allclose(sums, [log_sum(gains(*part)), 0, log_sum(gains(*other))], rtol=1e-9, atol=1e-12)
    for own, of_probabilities in zip(pairs, matching.probabilities(reach=1e6), strict=True):
        assert_array_equal(own, of_probabilities)


def test_pairs_out_of_reach_are_left_out_and_change_little():
    rng = np.random.default_rng(3)
    _, matching, _ = channels(rng, [(6, 6)])
    whole, near = matching.probabilities(1e6), matching.probabilities(8.0)
    assert len(near[2]) < len(whole[2])
    kept = {(j, k): p for j in range(6) for k, p in zip(*(x[whole[0][j] : whole[0][j + 1]] for x in whole[1:]), strict=True)}
    for j in range(6):
        for k, p in zip(*(x[near[0][j] : near[0][j + 1]] for x in near[1:]), strict=True):
            assert p == pytest.approx(kept[j, k], abs=0.05)


def test_large_gains_and_long_groups_do_not_overflow():
    n = 400
    time = np.arange(n) * 0.01
    matching = Matching([0, 12], [0, n], np.linspace(0, 4, 12), np.full(12, 50.0), time, np.full(n, 50.0), np.full(n, 0.05))
    _, _, probability, sums = matching.sums(0.0)
    assert np.isfinite(probability).all()
    assert 1200 < sums[0] < 1200 + 12 * np.log(n)  # at most so many matchings of the largest gain
    assert probability.sum() == pytest.approx(12, rel=1e-9)  # gains of 100: every prediction has a pick


def test_a_channel_that_is_too_crowded_is_refused():
    matching = Matching([0, 17], [0, 1], np.zeros(17), np.zeros(17), [0.0], [1.0], [1.0])
    with pytest.raises(OverflowError, match="channel 0: more than 16"):
        matching.probabilities()


def test_a_time_shift_and_other_channels_change_nothing():
    rng = np.random.default_rng(5)
    parts, matching, _ = channels(rng, [(5, 7), (4, 4)])
    p, a, t, b, s = parts[1]
    alone = Matching([0, 4], [0, 4], p + 1000, a, t + 1000, b, s)
    assert_array_equal(alone.best(), np.where(matching.best()[5:] < 0, -1, matching.best()[5:] - 7))
    assert_allclose(alone.probabilities()[2], matching.probabilities()[2][matching.probabilities()[0][5] :], rtol=1e-9)


def test_there_are_as_many_matchings_as_there_should_be():
    assert len(list(matchings(3, 3))) == 34
    assert len(list(matchings(2, 3))) == 13


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prediction": [2.0, 1.0]}, "prediction: 1: is earlier"),
        ({"pick": [0.0, np.nan]}, "pick: expected"),
        ({"sigma": [1.0, 0.0]}, "sigma: must be positive"),
        ({"first_pick": [0, 1]}, "first_pick: from 0 to 1"),
        ({"pick_gain": [0.0]}, r"pick_gain: shape \(1,\)"),
        ({"first_prediction": [0, 1, 2]}, "first_pick: 2 entries: expected 3"),
    ],
)
def test_wrong_input_is_refused_by_name(change, message):
    right = {
        "first_prediction": [0, 2],
        "first_pick": [0, 2],
        "prediction": [0.0, 1.0],
        "prediction_gain": [0.0, 0.0],
        "pick": [0.0, 1.0],
        "pick_gain": [0.0, 0.0],
        "sigma": [1.0, 1.0],
    }
    with pytest.raises(ValueError, match=message):
        Matching(**(right | change))


def test_nothing_has_nothing():
    empty = Matching([0, 0], [0, 0], [], [], [], [], [])
    assert len(empty.best()) == 0
    assert [len(part) for part in empty.probabilities()] == [1, 0, 0]
