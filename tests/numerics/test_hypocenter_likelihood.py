"""What the likelihoods of hypocentres must be: exact gradients, regions that hold what they should, robust to false picks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.forward.hypocenter.likelihood import EDT, Accuracy, Gaussian, Readings

LIKELIHOODS = [
    EDT(Accuracy(0.1, 0.1, 0.4)),
    EDT(Accuracy(0, 0, 1), "pairs"),
    EDT(Accuracy(0, 0, 1), "picks"),
    Gaussian(Accuracy(0.1, 0.1, 0.4)),
]


def readings(rng, sizes=(5, 9, 4)):
    n, start = sum(sizes), np.concatenate([[0], np.cumsum(sizes)])
    return Readings(rng.uniform(1, 9, n), rng.uniform(0.01, 0.3, n), rng.uniform(0.5, 2, n), start)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_derivatives_are_those_of_the_value(likelihood):
    rng = np.random.default_rng(0)
    picks = readings(rng)
    time, origin = picks.time + rng.normal(0, 0.5, (3, 18)), rng.normal(0, 0.2, (3, 3))
    _, by_time, by_origin = likelihood(picks, time, origin)
    step, direction, shift = 1e-5, rng.standard_normal(time.shape), rng.standard_normal(origin.shape)
    there, back = (likelihood(picks, time + s * direction, origin)[0] for s in (step, -step))
    assert_allclose(picks.summed(by_time * direction), (there - back) / (2 * step), rtol=1e-5, atol=1e-7)
    if likelihood.has_origin_time:
        there, back = (likelihood(picks, time, origin + s * shift)[0] for s in (step, -step))
        assert_allclose(by_origin * shift, (there - back) / (2 * step), rtol=1e-5, atol=1e-7)


def test_events_know_nothing_of_each_other():
    rng = np.random.default_rng(1)
    picks = readings(rng)
    time, origin = picks.time + rng.normal(0, 0.5, (2, 18)), np.zeros((2, 3))
    for likelihood in LIKELIHOODS:
        value, _, _ = likelihood(picks, time, origin)
        middle = slice(5, 14)
        alone = Readings(picks.time[middle], picks.variance[middle], picks.weight[middle], np.array([0, 9]))
        assert_allclose(likelihood(alone, time[:, middle], origin[:, 1:2])[0], value[:, 1:2], rtol=1e-13)


def test_the_gaussian_is_normalised():
    picks = Readings(np.array([3.0]), np.array([0.04]), np.ones(1), np.array([0, 1]))
    time = np.linspace(0, 6, 6001)[:, None]
    value, _, _ = Gaussian(Accuracy(0, 0.1, 1))(picks, time, np.zeros((6001, 1)))
    assert np.exp(value).sum() * 0.001 == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("ratio", [1.0, 8.0])
@pytest.mark.parametrize("n", [6, 30, 60, 150])
def test_calibrated_regions_hold_what_they_should(n, ratio):
    """Travel times that depend on one place, linearly; 1,000 events; every second error may be larger."""
    rng, events = np.random.default_rng(2), 1000
    slope, error = rng.standard_normal((2, events, n))
    sigma = np.broadcast_to(np.where(np.arange(n) % 2, 1.0, ratio), (events, n))
    slope -= slope.mean(axis=1, keepdims=True)
    scale = np.sqrt((slope**2 / sigma**2).sum(axis=1, keepdims=True))
    places = np.linspace(-6, 6, 301)[:, None, None] / scale
    picks = Readings((sigma * error).ravel(), sigma.ravel() ** 2, np.ones(events * n), n * np.arange(events + 1))
    likelihood = EDT(Accuracy(0, 0, 1))
    value, _, _ = likelihood(picks, (places * slope).reshape(301, -1), np.zeros((301, events)))
    mass = np.exp(likelihood.power(picks) * (value - value.max(axis=0)))
    below = mass[:151].sum(axis=0) / mass.sum(axis=0)
    for share in (0.5, 0.9, 0.95):
        found = np.mean(np.abs(below - 0.5) < share / 2)
        assert found == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / events))


def test_false_picks_move_the_gaussian_and_not_the_differences():
    """A fifth of the picks are seconds late."""
    rng, n = np.random.default_rng(3), 40
    slope = rng.standard_normal(n)
    error = 0.1 * rng.standard_normal(n) + 5 * (np.arange(n) % 5 == 0)
    picks = Readings(error, np.full(n, 0.01), np.ones(n), np.array([0, n]))
    places = np.linspace(-4, 4, 4001)[:, None]
    best = {}
    for likelihood in (EDT(Accuracy(0, 0, 1)), Gaussian(Accuracy(0, 0, 1))):
        origins = np.median(error - places * slope, axis=1)[:, None] if likelihood.has_origin_time else np.zeros((4001, 1))
        best[likelihood.has_origin_time] = abs(places[np.argmax(likelihood(picks, places * slope, origins)[0]), 0])
    assert best[False] < 0.06
    assert best[True] > 0.3
