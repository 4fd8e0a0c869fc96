"""The Wasserstein loss, held to SciPy and to every assignment written down; its gradient; and events that are found with it."""

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import wasserstein_distance

from vip.forward.association.window.channels import Arrivals, Channels
from vip.forward.association.window.fit import Rules
from vip.forward.association.window.wasserstein import Langevin, loss, transport
from vip.kernels_c.timetables import TimeTables

RULES = Rules(np.zeros(3), np.full(3, 100.0), detection=0.9, density=1e-6, least=5)


def times(rng, *sizes):
    return [np.sort(rng.uniform(0, 10, size)) for size in sizes]


def least_cost(a, b, power):
    """The loss of one channel, over every way to give each of the fewer a partner among the others."""
    few, many = sorted((a, b), key=len)
    costs = [np.mean(np.abs(few - many[list(chosen)]) ** power) for chosen in permutations(range(len(many)), len(few))]
    return min(costs) ** (1 / power)


def test_as_many_arrivals_as_picks_are_the_distance_of_scipy():
    rng = np.random.default_rng(0)
    predicted, observed = rng.uniform(0, 10, (3, 7, 4)), times(rng, 7, 7, 7, 7)
    value, _ = loss(predicted, observed, 1)
    expected = [sum(wasserstein_distance(each[:, c], observed[c]) for c in range(4)) for each in predicted]
    assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_it_is_the_least_of_all_assignments(power):
    """Channels have fewer, as many and more picks than events, and none."""
    rng = np.random.default_rng(1)
    predicted, observed = rng.uniform(0, 10, (4, 4, 4)), times(rng, 2, 4, 6, 0)
    value, _ = loss(predicted, observed, power)
    expected = [sum(least_cost(each[:, c], observed[c], power) for c in range(3)) for each in predicted]
    assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_the_gradient_is_that_of_differences(power):
    rng = np.random.default_rng(2)
    predicted, observed = rng.uniform(0, 10, (1, 5, 3)), times(rng, 3, 5, 8)
    _, gradient = loss(predicted, observed, power)
    for _ in range(5):
        along = rng.standard_normal(predicted.shape)
        after, before = (loss(predicted + step * along, observed, power)[0][0] for step in (1e-6, -1e-6))
        assert (after - before) / 2e-6 == pytest.approx((gradient * along).sum(), rel=1e-6)


def test_a_perfect_fit_has_a_gradient_of_zero():
    observed = times(np.random.default_rng(3), 4, 4)
    value, gradient = loss(np.stack(observed, axis=1)[None], observed, 2)
    assert value == 0
    assert_array_equal(gradient, 0)


@pytest.fixture(scope="module")
def window():
    """Two events at fifteen stations that arrive in either order, and the event of each pick."""
    rng = np.random.default_rng(4)
    place = np.column_stack([rng.uniform(0, 100, (15, 2)), np.zeros(15)])
    tables = TimeTables(np.full((15, 20, 30), 1 / 7.0), place, [0, -5], [8, 4])
    channels = Channels(np.arange(15), np.full(15, "P"), place, tables, np.zeros(15))
    x, origin = np.array([[20.0, 30.0, 10.0], [80.0, 60.0, 40.0]]), np.array([0.0, 0.5])
    when = (origin[:, None] + channels.travel_times(x)[0]).ravel()
    order = np.lexsort((when, np.tile(np.arange(15), 2)))
    picks = Arrivals(np.tile(np.arange(15), 2)[order], when[order], np.full(30, 0.01), np.zeros(30))
    return channels, picks, np.repeat([0, 1], 15)[order]


@pytest.mark.parametrize("power", [1, 2])
def test_events_are_found_and_the_same_seed_gives_the_same(window, power):
    channels, picks, event = window
    search = Langevin(power, trials=4, iterations=200)
    found = transport(picks, channels, RULES, search, 1)
    first = found.event[event == 0]
    assert_array_equal(found.event, np.where(event == 0, first[0], 1 - first[0]))
    again = transport(picks, channels, RULES, search, 1)
    assert_array_equal(again.events.x, found.events.x)
    assert again.loss == found.loss
    assert transport(picks, channels, RULES, search, 2).loss != found.loss


def test_missing_and_spurious_picks(window):
    """One channel has a pick too many, which is no event's; another has one too few."""
    channels, picks, event = window
    kept = np.arange(30) != 3
    extra = Arrivals(*(np.append(column[kept], column[:1]) for column in picks))
    extra.time[-1] = picks.time.max() + 5
    order = np.lexsort((extra.time, extra.channel))
    found = transport(extra.of(order), channels, RULES, Langevin(trials=4, iterations=200), 1)
    assert len(found.events.time) == 3
    assert (found.event >= 0).all()
    few = picks.of(kept)
    found = transport(few, channels, RULES, Langevin(trials=4, iterations=200), 1)
    assert len(found.events.time) == 2
    assert len(np.unique(np.column_stack([found.event, event[kept]]), axis=0)) == 2


def test_no_picks_have_no_events(window):
    channels, picks, _ = window
    nothing = transport(picks.of(np.zeros(0, int)), channels, RULES, Langevin(), 1)
    assert len(nothing.events.time) == len(nothing.event) == 0
