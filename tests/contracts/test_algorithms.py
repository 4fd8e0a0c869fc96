"""The contract of `vip.protocols.Algorithm`, held by every algorithm of the registry."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from vip.algorithms import REGISTRY
from vip.algorithms.optimizers import OPTIMIZERS, Adam, Schedule
from vip.algorithms.stein_kernels import METRICS, RBF
from vip.protocols import Info
from vip.rng import Purpose, stream
from vip.store import Store, flatten, unflatten

STEP = Schedule(0.05, decay=0.01)
N = 5


def advi(full_rank):
    return lambda project: REGISTRY["advi"](3, Adam(STEP), full_rank)


def svgd(optimizer, metric=None):
    return lambda project: REGISTRY["svgd"](N, OPTIMIZERS[optimizer](STEP), RBF(), METRICS.get(metric), project)


def ssvgd(metric, bandwidth, warm_up=0):
    """Burn-in and warm-up end among the steps that the tests take."""
    return lambda project: REGISTRY["ssvgd"](
        N, STEP, RBF(bandwidth), 4, METRICS.get(metric), warm_up, Adam(STEP), project=project
    )


ALGORITHMS = {
    "advi": advi(False),
    "advi full-rank": advi(True),
    "svgd": svgd("adam"),
    "svgd sgd": svgd("sgd"),
    "svgd adagrad variance": svgd("adagrad", "variance"),
    "svgd adadelta gradient": svgd("adadelta", "gradient"),
    "ssvgd": ssvgd(None, None),
    "ssvgd variance": ssvgd("variance", 0.7),
    "ssvgd gradient": ssvgd("gradient", None, warm_up=2),
}
CLIPS = {name: make for name, make in ALGORITHMS.items() if not name.startswith("advi")}
"""Algorithms with hard bounds; the configuration refuses them for ADVI."""


def every(algorithms=ALGORITHMS):
    return pytest.mark.parametrize("make", algorithms.values(), ids=algorithms)


def build(make, project=lambda theta: theta):
    return make(project)


def quartic(theta):
    """An asymmetric log-density whose entries differ."""
    scale = 1 + np.arange(theta.shape[1])
    z = theta / scale - 0.5
    return -(z**2 / 2 + z**4 / 12).sum(axis=1), -(z + z**3 / 3) / scale


def start(algorithm, d=3):
    return algorithm.init(stream(1, 0, Purpose.START).standard_normal((algorithm.n_particles, d)))


def advance(algorithm, state, steps, first=0):
    for iteration in range(first, first + steps):
        state, info = algorithm.step(state, quartic, stream(1, iteration, Purpose.STEP))
    return state, info


def assert_same(a, b):
    a, b = flatten(a), flatten(b)
    assert a.keys() == b.keys()
    for key in a:
        assert_array_equal(a[key], b[key], err_msg=key)


def test_the_table_covers_the_registry():
    assert {name.split()[0] for name in ALGORITHMS} == set(REGISTRY)


@every()
def test_a_checkpoint_is_the_state_and_nothing_else(make, tmp_path):
    """Stored, read back into a new algorithm's template and continued, all is as without."""
    algorithm = build(make)
    half, _ = advance(algorithm, start(algorithm), 3)
    whole, _ = advance(algorithm, half, 4, first=3)
    store = Store.create(tmp_path / "run", "", {})
    store.commit(3, "running", half)
    another = build(make)
    template = another.init(np.random.default_rng(2).standard_normal((another.n_particles, 3)))
    restored = unflatten(template, store.checkpoint().arrays)
    assert_same(restored, half)
    resumed, _ = advance(another, restored, 4, first=3)
    assert_same(resumed, whole)


@every()
def test_a_step_is_pure(make):
    """Neither the state that it gets nor anything inside the algorithm changes."""
    algorithm = build(make)
    for steps in (1, 3, 6):  # in warm-up, in burn-in, after both
        state, _ = advance(algorithm, start(algorithm), steps)
        before = {key: np.copy(value) for key, value in flatten(state).items()}
        for value in flatten(state).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        once, info = advance(algorithm, state, 1, first=steps)
        advance(algorithm, once, 2)
        again, info_again = advance(algorithm, state, 1, first=steps)
        assert_same(once, again)
        assert info == info_again
        for key, value in flatten(state).items():
            assert_array_equal(value, before[key], err_msg=key)


@every()
def test_random_numbers_come_from_the_generator_alone(make):
    algorithm = build(make)
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    state, _ = advance(algorithm, start(algorithm), 6)
    algorithm.draw(state, 4, stream(1, 6, Purpose.DRAW))
    after = np.random.get_state()  # noqa: NPY002
    assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@every()
@pytest.mark.parametrize("d", [1, 3])
def test_what_it_evaluates_and_tells(make, d):
    algorithm, shapes = build(make), []

    def watched(theta):
        shapes.append((theta.shape, theta.dtype))
        return quartic(theta)

    state = start(algorithm, d)
    for iteration in range(8):
        before = state
        state, info = algorithm.step(state, watched, stream(1, iteration, Purpose.STEP))
        assert isinstance(info, Info)
        assert np.isfinite(info).all()
        assert info.step > 0
        assert type(state) is type(before)
    assert set(shapes) == {((algorithm.n_evaluated, d), np.dtype(np.float64))}
    assert len(shapes) == 8


@every()
@pytest.mark.parametrize("d", [1, 3])
def test_draws(make, d):
    """As many draws as asked for of a Gaussian; else the particles, whatever the number."""
    algorithm = build(make)
    state = start(algorithm, d)
    for n in (1, 7):
        draws = algorithm.draw(state, n, stream(1, 0, Purpose.DRAW))
        assert draws.dtype == np.float64
        if hasattr(state, "particles"):
            assert_array_equal(draws, state.particles)
        else:
            assert draws.shape == (n, d)


@every()
def test_info_is_the_mean_log_density_of_what_was_evaluated(make):
    algorithm, values = build(make), []

    def watched(theta):
        values.append(quartic(theta)[0])
        return quartic(theta)

    _, info = algorithm.step(start(algorithm), watched, stream(1, 0, Purpose.STEP))
    assert info.log_density == pytest.approx(values[0].mean(), rel=1e-12)


@every(CLIPS)
def test_hard_bounds_are_kept(make):
    """In every phase, and of every particle: a gradient and noise that push outwards."""
    algorithm = build(make, lambda theta: np.clip(theta, -0.3, 0.4))
    state = algorithm.init(np.clip(stream(1, 0, Purpose.START).standard_normal((N, 3)), -0.3, 0.4))

    def outwards(theta):
        return theta.sum(axis=1), np.full(theta.shape, 30.0)

    for iteration in range(8):
        state, _ = algorithm.step(state, outwards, stream(1, iteration, Purpose.STEP))
        assert state.particles.min() >= -0.3
        assert state.particles.max() <= 0.4


@every()
def test_another_stream_is_another_run(make):
    """Of what is stochastic: an algorithm that ignored its generator would still pass all the tests above."""
    algorithm = build(make)
    state, _ = advance(algorithm, start(algorithm), 3)
    a, b = (algorithm.step(state, quartic, stream(seed, 3, Purpose.STEP))[0] for seed in (1, 2))
    same = all(np.array_equal(x, y) for x, y in zip(flatten(a).values(), flatten(b).values(), strict=True))
    assert same == hasattr(state, "optimizer")  # SVGD alone is deterministic
