"""Measures of an association against hand-made cases, and synthetic windows against what is known of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.forward.association.trials.crossing import ceiling, crossing, gradient, uniform
from vip.forward.association.trials.measures import accuracy, confusion_factor, event_scores, pick_scores
from vip.forward.association.window.associate import associate
from vip.forward.association.window.search import grid


def test_how_events_are_numbered_does_not_matter():
    truth = np.array([0, 0, 0, 1, 1, 1, -1])
    assert accuracy(np.array([5, 5, 5, 2, 2, 2, 3]), truth) == 1
    assert accuracy(np.array([5, 5, 2, 2, 2, 2, -1]), truth) == pytest.approx(5 / 6)


def test_a_true_event_belongs_to_one_that_was_found():
    """One that is found in two halves counts once: its other half is wrong."""
    truth, found = np.zeros(10, int), np.repeat([0, 1], 5)
    assert accuracy(found, truth) == 0.5
    assert event_scores(found, truth) == (1, 2, 1)


def test_an_event_needs_three_fifths_of_its_picks_in_common():
    truth = np.array([0, 0, 0, 1, 1])
    assert event_scores(np.zeros(5, int), truth) == (1, 1, 2)
    assert event_scores(np.zeros(6, int), np.append(truth, 1)) == (0, 1, 2)


def test_false_picks_cost_precision_and_missing_ones_recall():
    scores = pick_scores(np.array([0, 0, 0, -1]), np.array([0, 0, -1, 0]))
    assert (scores.precision, scores.recall, scores.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_nothing_to_find_and_nothing_found():
    nothing = np.array([-1, -1])
    assert event_scores(nothing, nothing).f1 == 1
    assert pick_scores(np.zeros(0, int), np.zeros(0, int)).f1 == 1
    assert event_scores(nothing, np.zeros(2, int)).f1 == 0


def test_confusion_is_that_of_the_order_of_arrivals():
    origin = np.arange(5.0)
    assert confusion_factor(origin, origin[:, None] + [0.0, 3.0]) == pytest.approx(0)
    assert confusion_factor(origin, -origin[:, None]) == 1
    assert confusion_factor(origin, np.stack([origin, origin, origin, -origin], axis=1)) == pytest.approx(0.5)


def test_rays_of_a_gradient_are_those_of_a_homogeneous_medium_where_it_is_small():
    x, stations = np.array([[20.0, 30.0, 40.0]]), np.array([[60.0, 10.0, 0.0]])
    assert_allclose(gradient(7, 7 + 1e-4)(x, stations), uniform(7)(x, stations), rtol=1e-5)
    down = gradient(5, 25)(np.array([[0.0, 0, 100]]), np.zeros((1, 3)))  # a vertical ray: the integral of slowness
    assert_allclose(down, np.log(5) / 0.2)


@pytest.mark.parametrize("delays", [uniform(), gradient()], ids=["uniform", "gradient"])
def test_without_noise_the_truth_explains_all(delays):
    """The tables of travel times are right to less than the standard deviation of picks, or the ceiling would be below 1."""
    assert ceiling(crossing(np.random.default_rng(0), delays)) == 1


def test_picks_that_come_too_closely_for_the_first_grid_are_told_apart_on_a_finer_one():
    window = crossing(np.random.default_rng(2), uniform(), missing=0.3, false=0.3)
    rate = len(window.event) / (len(window.channels) * np.ptp(window.picks.time))
    coarse, fine = (grid(window.channels, window.rules, 5.0, r) for r in (0, rate))
    assert coarse.finer is None
    found = associate(window.picks, window.channels, fine, window.rules)
    assert accuracy(found.event, window.event) > 0.95
    assert event_scores(found.event, window.event) == (8, 8, 8)
