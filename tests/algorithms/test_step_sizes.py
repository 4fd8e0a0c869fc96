"""Step sizes that are learnt, on a Gaussian, where what they aim at is known in closed form."""

import numpy as np
import pytest

from vip.algorithms import HMC, MALA, SGLD, Metropolis
from vip.algorithms.burn_in import BurnIn
from vip.algorithms.metrics import DIAGONAL
from vip.algorithms.optimizers import Schedule
from vip.algorithms.step_sizes import Scheduled, TargetAcceptance, TargetError
from vip.protocols import Evaluated
from vip.rng import Purpose, stream


def standard_normal(theta):
    return Evaluated(-0.5 * (theta**2).sum(axis=1), -theta)


def learnt(algorithm, d, steps):
    """The step size after burn-in, and the acceptance at each step where it is used."""
    state, accepted = algorithm.init(stream(1, 0, Purpose.START).standard_normal((algorithm.n_particles, d))), []
    for iteration in range(2 * steps):
        state, info = algorithm.step(state, standard_normal, stream(1, iteration, Purpose.STEP))
        accepted.append(info.more.get("acceptance"))
    return info.more["step_size"], accepted[steps:]


@pytest.mark.parametrize("first", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize(
    ("kind", "target", "more"), [(MALA, 0.574, {}), (HMC, 0.8, {"leapfrog_steps": 3}), (Metropolis, 0.234, {})]
)
def test_the_acceptance_is_what_was_asked_for(kind, target, more, first):
    algorithm = kind(10, TargetAcceptance(first, target), BurnIn(500, DIAGONAL["none"]), **more)
    _, acceptance = learnt(algorithm, 20, 500)
    assert np.mean(acceptance) == pytest.approx(target, abs=0.05)


@pytest.mark.parametrize("inflation", [0.01, 0.1])
def test_the_error_is_what_was_asked_for(inflation):
    """Langevin steps of length e leave a variance of 1 / (1 - e / 2)."""
    algorithm = SGLD(10, TargetError(1e-3, inflation), BurnIn(1000, DIAGONAL["none"]))
    step, _ = learnt(algorithm, 50, 1000)
    assert 1 / (1 - step / 2) - 1 == pytest.approx(inflation, rel=0.25)


def test_after_burn_in_nothing_changes():
    algorithm = MALA(4, TargetAcceptance(0.1, 0.5), BurnIn(10, DIAGONAL["variance"]))
    state = algorithm.init(stream(2, 0, Purpose.START).standard_normal((4, 3)))
    kept = []
    for iteration in range(15):
        state, info = algorithm.step(state, standard_normal, stream(2, iteration, Purpose.STEP))
        kept.append((info.more["step_size"], *state.burn_in.metric.scale))
    assert len(set(kept[:10])) == 10
    assert len(set(kept[10:])) == 1


def test_given_sizes_are_used():
    rule = Scheduled(Schedule(0.1, decay=1.0))
    assert [rule.size(rule.init(), iteration, True) for iteration in (0, 1, 9)] == pytest.approx([0.1, 0.05, 0.01])
