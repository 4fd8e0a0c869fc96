"""Optimizers against steps worked out by hand, and on a quadratic."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.algorithms.optimizers import OPTIMIZERS, SGD, AdaDelta, AdaGrad, Adam, Schedule

DIRECTIONS = [np.array([2.0, -0.5]), np.array([-1.0, 0.5]), np.array([4.0, 0.0])]
SIGNS = np.sign(DIRECTIONS[0])


def increments(optimizer):
    state, steps = optimizer.init(np.zeros(2)), []
    for direction in DIRECTIONS:
        state, step = optimizer.step(state, direction)
        steps.append(step)
    assert state.iteration == len(DIRECTIONS)
    return np.array(steps)


def test_sgd():
    """Directions times 0.1 / (1 + t)."""
    expected = [0.1 * DIRECTIONS[0], 0.05 * DIRECTIONS[1], 0.1 / 3 * DIRECTIONS[2]]
    assert_allclose(increments(SGD(Schedule(0.1, decay=1.0))), expected, rtol=1e-14)


def test_adagrad():
    """Squares add up to (4, 5, 21) and (1/4, 1/2, 1/2)."""
    expected = 0.1 * np.array([SIGNS, [-1 / np.sqrt(5), np.sqrt(0.5)], [4 / np.sqrt(21), 0]])
    assert_allclose(increments(AdaGrad(Schedule(0.1))), expected, rtol=1e-7)  # 1e-8 beside roots of at least 0.5


def test_adadelta():
    """Zeiler (2012), algorithm 1, with memory 1/2 and epsilon 1/4, of the first entry."""
    steps = increments(AdaDelta(Schedule(1.0), memory=0.5, epsilon=0.25))[:, 0]
    first = np.sqrt(0.25 / 2.25) * 2  # mean square 4 / 2
    second = np.sqrt((first**2 / 2 + 0.25) / 1.75) * -1  # (2 + 1) / 2
    third = np.sqrt((first**2 / 4 + second**2 / 2 + 0.25) / 9) * 4  # (1.5 + 16) / 2
    assert_allclose(steps, [first, second, third], rtol=1e-14)


def test_adadelta_is_scaled_by_the_step_size_and_its_memory_is_not():
    plain, scaled = increments(AdaDelta(Schedule(1.0))), increments(AdaDelta(Schedule(0.1)))
    assert_allclose(scaled, 0.1 * plain, rtol=1e-14)


def test_adam():
    """Kingma & Ba (2014), algorithm 1, with beta = (1/2, 3/4), of the first entry: unbiased moments of 2, -1, 4."""
    steps = increments(Adam(Schedule(0.1), beta1=0.5, beta2=0.75))[:, 0]
    first = 2 / 2
    second = ((2 / 2 - 1) / 2 / (3 / 4)) / np.sqrt((4 / 4 * 3 / 4 + 1 / 4) / (7 / 16))
    third = ((2 / 4 - 1 / 2 + 4) / 2 / (7 / 8)) / np.sqrt((4 * 9 / 16 + 3 / 4 + 16) / 4 / (37 / 64))
    assert_allclose(steps, 0.1 * np.array([first, second, third]), rtol=1e-7)


def test_adam_forgets_no_scale():
    """Its steps do not change with the scale of the directions."""
    optimizer = Adam(Schedule(0.1))
    state, step = optimizer.init(np.zeros(2)), 0
    for direction in DIRECTIONS:
        state, step = optimizer.step(state, 1e6 * direction)
    assert_allclose(step, increments(optimizer)[-1], rtol=1e-6)


@pytest.mark.parametrize(("power", "expected"), [(0.5, 0.1), (1.0, 0.05), (0.0, 0.2)])
def test_step_sizes(power, expected):
    """0.2 / (1 + 0.01 * 300)^power."""
    assert Schedule(0.2, decay=0.01, power=power)(300) == pytest.approx(expected, rel=1e-14)
    assert Schedule(0.2, decay=0.01, power=power)(0) == 0.2


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_quadratic_is_climbed(name):
    """Curvatures of 1 and 20; each optimizer with a step size that suits it."""
    size, n = {"sgd": (0.05, 400), "adagrad": (1.0, 400), "adadelta": (10.0, 4000), "adam": (0.1, 800)}[name]
    optimizer, curvature, top = OPTIMIZERS[name](Schedule(size, decay=0.01)), np.array([1.0, 20.0]), np.array([3.0, -1.0])
    x = np.zeros(2)
    state = optimizer.init(x)
    for _ in range(n):
        state, step = optimizer.step(state, -curvature * (x - top))
        x = x + step
    assert_allclose(x, top, atol=0.02)
