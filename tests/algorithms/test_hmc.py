"""Trajectories that diverge are rejected: the run goes on, and samples what it should."""

import math

import numpy as np
import pytest

from vip.algorithms import HMC
from vip.algorithms.burn_in import BurnIn
from vip.algorithms.metrics import DIAGONAL
from vip.algorithms.step_sizes import TargetAcceptance
from vip.protocols import Evaluated
from vip.rng import Purpose, stream

SECOND_MOMENT = 2 * math.gamma(0.75) / math.gamma(0.25)


def quartic(theta):
    """Light tails: its force grows with the cube of the distance, so that a step that is long for far particles explodes."""
    return Evaluated(-0.25 * (theta**4).sum(axis=1), -(theta**3))


def quartic_on_a_ball(theta):
    """The same, without a value or a gradient beyond a radius, as a density has that users write without care."""
    inside = ((theta**2).sum(axis=1) < 100)[:, None]
    value, gradient, *_ = quartic(np.where(inside, theta, 0))
    return Evaluated(np.where(inside[:, 0], value, np.nan), np.where(inside, gradient, np.nan))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("first", [0.01, 3.0])
@pytest.mark.parametrize("density", [quartic, quartic_on_a_ball])
def test_a_trajectory_that_diverges_is_rejected(density, first):
    n, burn_in, kept = 8, 300, 1500
    algorithm = HMC(n, TargetAcceptance(first, 0.8), BurnIn(burn_in, DIAGONAL["none"]), leapfrog_steps=20)
    state = algorithm.init(5 * stream(4, 0, Purpose.START).standard_normal((n, 3)) / 2)
    squares = []
    for iteration in range(burn_in + kept):
        state, info = algorithm.step(state, density, stream(4, iteration, Purpose.STEP))
        squares.append(state.particles**2)
    assert np.isfinite(info.more["step_size"])
    chains = np.mean(squares[burn_in:], axis=0)  # of each chain and coordinate; chains are independent
    error = chains.std(ddof=1) / np.sqrt(chains.size)
    assert abs(chains.mean() - SECOND_MOMENT) < 4 * error
    assert error < 0.02
