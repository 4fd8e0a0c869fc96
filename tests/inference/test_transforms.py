"""Transforms between bounded models and unconstrained theta."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from vip.inference.transforms import Clip, Logit

LOWER, UPPER = np.array([1.56, -2.0, -np.inf]), np.array([4.8, -1.5, np.inf])
LOGIT = Logit(LOWER, UPPER)
numbers = {"allow_nan": False, "allow_infinity": False}
bounds = st.tuples(st.integers(-1000, 1000), st.integers(1, 1000)).map(lambda x: (x[0] / 100, (x[0] + x[1]) / 100))
"""Bounds of two decimals, as users write them: they and their difference are rounded."""


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(-15, 15, **numbers), min_size=3, max_size=3))
def test_round_trip_from_theta(theta):
    """Rounding of a model of size 5 by 1e-16 is one of theta by exp(15) times as much, over the width."""
    theta = np.array([theta])
    assert_allclose(LOGIT.to_theta(LOGIT.to_model(theta)), theta, atol=1e-8)


@settings(deadline=None, max_examples=200)
@given(bounds, st.floats(0.001, 0.999, **numbers))
def test_round_trip_from_the_model(bound, place):
    lower, upper = (np.array([x]) for x in bound)
    transform, model = Logit(lower, upper), (lower + place * (upper - lower))[None]
    assert_allclose(transform.to_model(transform.to_theta(model)), model, rtol=1e-12, atol=1e-12 * abs(lower[0]))


@settings(deadline=None, max_examples=500)
@given(bounds, st.floats(-800, 800, **numbers))
def test_models_never_leave_their_bounds(bound, theta):
    """Also not by rounding: there the prior is zero, and a forward may refuse a velocity beyond its bound."""
    lower, upper = (np.array([x]) for x in bound)
    model = Logit(lower, upper).to_model(np.array([[theta]]))
    assert ((lower <= model) & (model <= upper)).all()


@pytest.mark.parametrize(("lower", "upper"), [(1.2, 3.4), (1.4, 5.7), (1.6, 4.6)])
def test_the_far_end_is_the_upper_bound(lower, upper):
    """One time in a hundred the lower bound and the difference round to more than the upper one."""
    transform = Logit(np.array([lower]), np.array([upper]))
    assert transform.to_model(np.array([[50.0]])).item() == upper
    assert transform.to_model(np.array([[-800.0]])).item() == lower


@pytest.mark.parametrize("theta", [-50.0, -10.0, 0.0, 10.0, 50.0])
def test_extreme_theta_is_finite_and_exact(theta):
    """Far out the logarithm of the slope is log(width) - |theta|."""
    point = np.full((1, 3), theta)
    value, gradient = LOGIT.log_jacobian(point)
    slope = 2 * np.log1p(np.exp(-abs(theta))) + abs(theta)
    assert_allclose(value, [np.log(3.24) + np.log(0.5) - 2 * slope], rtol=1e-12)
    assert_allclose(gradient, [[np.tanh(-theta / 2)] * 2 + [0]], rtol=1e-12)
    for result in (LOGIT.to_model(point), LOGIT.slope(point), *LOGIT.log_jacobian(point)):
        assert np.isfinite(result).all()


def test_slope_and_jacobian_are_derivatives():
    theta, h = np.random.default_rng(1).normal(0, 2, (20, 3)), 1e-5
    value, gradient = LOGIT.log_jacobian(theta)
    assert_allclose(value, np.log(LOGIT.slope(theta)).sum(axis=1), rtol=1e-12)
    for k, step in enumerate(h * np.eye(3)):
        # Central differences: h^2 / 6 times a third derivative of at most one, and rounding of 1e-15 over h.
        by_difference = (LOGIT.to_model(theta + step) - LOGIT.to_model(theta - step)) / (2 * h)
        assert_allclose(by_difference, LOGIT.slope(theta) * np.eye(3)[k], atol=1e-9)
        by_difference = (LOGIT.log_jacobian(theta + step)[0] - LOGIT.log_jacobian(theta - step)[0]) / (2 * h)
        assert_allclose(by_difference, gradient[:, k], atol=1e-9)


def test_density_of_theta_integrates_to_that_of_the_model():
    """A uniform density of the model, brought to theta by the Jacobian, still integrates to one."""
    transform = Logit(np.array([1.56]), np.array([4.8]))
    theta = np.linspace(-60, 60, 60_001)
    density = np.exp(transform.log_jacobian(theta[:, None])[0]) / 3.24
    assert density.sum() * (theta[1] - theta[0]) == pytest.approx(1, abs=1e-9)


def test_without_bounds_it_is_the_identity():
    theta = np.random.default_rng(2).normal(size=(4, 3))
    assert_array_equal(LOGIT.to_model(theta)[:, 2], theta[:, 2])
    assert_array_equal(LOGIT.to_theta(LOGIT.to_model(theta))[:, 2], theta[:, 2])
    assert_array_equal(LOGIT.slope(theta)[:, 2], 1)
    assert_array_equal(LOGIT.project(theta), theta)


def test_clip_resets_to_the_nearest_bound():
    clip = Clip(LOWER, UPPER)
    theta = np.array([[0.0, 0.0, 1e9], [2.0, -1.7, -1e9], [9.0, -3.0, 0.0]])
    assert_array_equal(clip.project(theta), [[1.56, -1.5, 1e9], [2.0, -1.7, -1e9], [4.8, -2.0, 0.0]])
    assert_array_equal(clip.to_model(theta), theta)
    assert_array_equal(clip.to_theta(theta), theta)
    assert_array_equal(clip.pull(theta, theta), theta)
    value, gradient = clip.log_jacobian(theta)
    assert_array_equal(value, np.zeros(3))
    assert_array_equal(gradient, np.zeros((3, 3)))
