"""The log-likelihood over all matchings, held to every matching written down, to differences, and to a Gaussian."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from vip.forward.association.window.channels import Arrivals, Channels
from vip.forward.association.window.fit import LOG_2PI, Rules
from vip.forward.association.window.marginal import Marginal
from vip.kernels_c.matching.reference import gains, log_sum
from vip.kernels_c.timetables import TimeTables

BOX = np.zeros(3), np.array([100.0, 100.0, 20.0])
RULES = Rules(*BOX, detection=0.9, density=1e-6, least=5)
RATE = 0.01
"""Rate of chance picks, 1/s."""
SPEED = {"P": 6.0, "S": 3.5}


def network(rng, n=6):
    place = np.column_stack([rng.uniform(0, 100, (n, 2)), np.zeros(n)])
    phases, station = np.repeat(list(SPEED), n), np.tile(np.arange(n), 2)
    slowness = 1 / np.repeat(list(SPEED.values()), n)
    tables = TimeTables(np.tile(slowness[:, None, None], (1, 20, 20)), place[station], [0, -5], [15, 7])
    return Channels(station, phases, place[station], tables, np.zeros(2 * n))


def record(rng, channels, x, time, sigma=0.1, false=0):
    """A pick of each event at every channel, and others by chance."""
    of_events = (time[:, None] + channels.travel_times(x)[0]).ravel()
    channel = np.append(np.tile(np.arange(len(channels)), len(x)), rng.integers(0, len(channels), false))
    when = np.append(of_events + sigma * rng.standard_normal(len(of_events)), rng.uniform(0, 60, false))
    order = np.lexsort((when, channel))
    return Arrivals(channel[order], when[order], np.full(len(order), sigma), rng.normal(0, 0.3, len(order)))


def marginal_of(picks, channels, n_events, seen=None):
    seen = np.ones((n_events, len(channels)), bool) if seen is None else seen
    return Marginal(picks, np.full(len(picks.time), np.log(RATE)), channels, RULES, seen)


@pytest.fixture(scope="module")
def crowd():
    """Three events whose picks are in reach of each other, and picks by chance."""
    rng = np.random.default_rng(0)
    channels = network(rng)
    x, time = np.array([[40.0, 50.0, 8.0], [44.0, 53.0, 9.0], [60.0, 45.0, 7.0]]), np.array([20.0, 20.3, 20.8])
    picks = record(rng, channels, x, time, 0.3, 20)
    seen = rng.random((3, len(channels))) < 0.8
    places = x + rng.normal(0, 1, (4, 3, 3)), time + rng.normal(0, 0.2, (4, 3))
    return marginal_of(picks, channels, 3, seen), picks, channels, seen, places


def test_it_is_the_sum_over_every_matching(crowd):
    marginal, picks, channels, seen, (x, time) = crowd
    value, _ = marginal(x, time)
    for i in range(len(x)):
        predicted = time[i][:, None] + channels.travel_times(x[i])[0]
        expected = seen.sum() * np.log(0.1)
        for c in range(len(channels)):
            own, events = picks.channel == c, np.flatnonzero(seen[:, c])
            sigma = picks.sigma[own]
            of_picks = picks.log_weight[own] - LOG_2PI / 2 - np.log(sigma) - np.log(RATE)
            gain = gains(predicted[events, c], np.full(len(events), np.log(9)), picks.time[own], of_picks, sigma)
            near = np.where(np.abs(gain) < 30, gain, -np.inf)
            expected += log_sum(near)
        assert value[i] == pytest.approx(expected, abs=1e-9)


def test_the_gradient_is_that_of_differences(crowd):
    marginal, *_, (x, time) = crowd
    _, gradient = marginal(x, time)
    rng = np.random.default_rng(1)
    for _ in range(5):
        along, later = rng.standard_normal(x.shape), rng.standard_normal(time.shape)
        step = 1e-5
        after, before = (marginal(x + sign * step * along, time + sign * step * later)[0] for sign in (1, -1))
        expected = (gradient[..., :3] * along).sum(axis=(1, 2)) + (gradient[..., 3] * later).sum(axis=1)
        assert_allclose((after - before) / (2 * step), expected, rtol=1e-5, atol=1e-5)


def test_one_event_with_picks_that_are_surely_its_own_is_gaussian():
    rng = np.random.default_rng(2)
    channels = network(rng)
    x, time = np.array([[50.0, 50.0, 10.0]]), np.array([20.0])
    picks = record(rng, channels, x, time, 0.001)  # gains of ten: the odds that a pick is of chance are negligible
    marginal = marginal_of(picks, channels, 1)
    near = x + rng.normal(0, 1e-3, (6, 1, 3)), time + rng.normal(0, 1e-3, (6, 1))
    value, _ = marginal(*near)
    predicted = near[1][..., None] + channels.travel_times(near[0][:, 0])[0][:, None]
    misfit = ((picks.time - predicted[:, 0]) ** 2 / 0.001**2).sum(axis=1) / 2
    assert_allclose(value - value[0], misfit[0] - misfit, atol=1e-2)
    _, slope = channels.travel_times(x)
    jacobian = np.column_stack([slope[0], np.ones(len(channels))])
    assert_allclose(marginal.information(x, time)[0], jacobian.T @ jacobian / 0.001**2, rtol=1e-3)


def test_events_may_change_places(crowd):
    """And two in the same place have the same share of every pick."""
    _, picks, channels, _, (x, time) = crowd
    marginal = marginal_of(picks, channels, 3)
    value, gradient = marginal(x, time)
    turned = [2, 0, 1]
    again, turned_gradient = marginal(x[:, turned], time[:, turned])
    assert_allclose(again, value, rtol=1e-12)
    assert_allclose(turned_gradient, gradient[:, turned], rtol=1e-9, atol=1e-9)
    _, shared = marginal(x[:, [0, 0, 2]], time[:, [0, 0, 2]])
    assert_allclose(shared[:, 0], shared[:, 1], rtol=1e-9)
    assert np.abs(shared[:, 0]).min() > 0


def test_a_model_does_not_depend_on_a_crowded_one_beside_it():
    """Seventeen events in one place are more than can be summed over with pairs of small gain."""
    rng = np.random.default_rng(3)
    channels = network(rng)
    x, time = rng.uniform(*BOX, (17, 3)), rng.uniform(0, 40, 17)
    marginal = marginal_of(record(rng, channels, x, time), channels, 17)
    both = np.stack([x, np.tile(x[:1], (17, 1))]), np.stack([time, np.full(17, time[0])])
    value, gradient = marginal(*both)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    for i in range(2):
        alone = marginal(both[0][i : i + 1], both[1][i : i + 1])
        assert_array_equal(alone[0], value[i : i + 1])
        assert_array_equal(alone[1], gradient[i : i + 1])


def test_events_that_share_picks_are_one_group():
    """Picks seven standard deviations off are in reach, but hardly ever another's."""
    rng = np.random.default_rng(4)
    channels = network(rng)
    x, time = np.tile([40.0, 50.0, 8.0], (3, 1)), np.array([10.0, 10.7, 10.05])
    label = marginal_of(record(rng, channels, x, time), channels, 3).groups(x, time)
    assert label[0] == label[2] != label[1]
