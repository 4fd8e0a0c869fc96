"""The contract of `vip.protocols.Algorithm`, held by every algorithm of the registry."""

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from vip.algorithms import ADVI, HMC, MALA, SGLD, SSVGD, SVGD, Metropolis, Pathfinder, ProjectedSVGD
from vip.algorithms.burn_in import BurnIn
from vip.algorithms.families import LowRankGaussian, Triangular
from vip.algorithms.flow import Flow
from vip.algorithms.local_kernel import LocalRBF, neighbourhoods
from vip.algorithms.metrics import DIAGONAL, Covariance, LowRank
from vip.algorithms.optimizers import OPTIMIZERS, Adam, Schedule
from vip.algorithms.stein_kernels import RBF, GroupRBF
from vip.algorithms.step_sizes import Scheduled, TargetAcceptance, TargetError
from vip.algorithms.svgd import Annealing
from vip.methods import BUILT_IN
from vip.protocols import Evaluated, Info, ModelSpace, Variable
from vip.rng import Purpose, stream
from vip.runs.store import Store, flatten, unflatten

STEP = Schedule(0.05, decay=0.01)
N = 5
METRICS = DIAGONAL | {"covariance": Covariance(), "low-rank": LowRank(2)}


def line(d):
    """Each entry and the next are neighbours."""
    return neighbourhoods(ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(float(d))}),)), 1)


def burn_in(metric="none", warm_up=0):
    """Burn-in and warm-up end among the steps that the tests take."""
    return BurnIn(4, METRICS[metric], warm_up, Adam(STEP))


def advi(family, **more):
    return lambda d, project: ADVI(3, Adam(STEP), family(d), **more)


def svgd(optimizer, metric="none", kernel=lambda d: RBF(), annealing=None):
    return lambda d, project: SVGD(N, OPTIMIZERS[optimizer](STEP), kernel(d), METRICS[metric], annealing, project)


def ssvgd(metric="none", bandwidth=None, warm_up=0, step_size=Scheduled(STEP), adjusted=False):  # noqa: B008
    return lambda d, project: SSVGD(N, step_size, RBF(bandwidth), burn_in(metric, warm_up), adjusted, project)


def wide_prior(theta):
    return -0.05 * (theta**2).sum(axis=1), -0.1 * theta


BY_ACCEPTANCE, BY_ERROR = TargetAcceptance(0.2, 0.6), TargetError(0.2, 0.05)

ALGORITHMS = {
    "advi": advi(lambda d: Triangular.mean_field()),
    "advi full-rank": advi(Triangular.full_rank, halvings=2),
    "advi low-rank": advi(lambda d: LowRankGaussian(2)),
    "advi structured": advi(lambda d: Triangular.between(line(d))),
    "advi pathfinder": advi(Triangular.full_rank, start=Pathfinder(2), start_iterations=3),
    "flow": advi(lambda d: Flow(d, transforms=1, hidden=4)),
    "pathfinder": lambda d, project: Pathfinder(N),
    "svgd": svgd("adam"),
    "svgd sgd annealed": svgd("sgd", annealing=Annealing(4, 2)),
    "svgd adagrad variance": svgd("adagrad", "variance"),
    "svgd adadelta gradient": svgd("adadelta", "gradient"),
    "svgd low-rank": svgd("adam", "low-rank"),
    "svgd local": svgd("adam", kernel=lambda d: LocalRBF(line(d))),
    "svgd groups": svgd("adam", kernel=lambda d: GroupRBF(np.arange(d) % 2)),
    "projected-svgd": lambda d, project: ProjectedSVGD(N, Adam(STEP), wide_prior, 2, project),
    "ssvgd": ssvgd(),
    "ssvgd variance": ssvgd("variance", 0.7),
    "ssvgd gradient": ssvgd("gradient", warm_up=2),
    "ssvgd low-rank auto": ssvgd("low-rank", step_size=BY_ERROR),
    "ssvgd adjusted": ssvgd("gradient", warm_up=2, step_size=BY_ACCEPTANCE, adjusted=True),
    "sgld rmsprop": lambda d, project: SGLD(N, Scheduled(STEP), burn_in("rmsprop", 1), project),
    "sgld auto": lambda d, project: SGLD(N, BY_ERROR, burn_in("gradient"), project),
    "mala": lambda d, project: MALA(N, BY_ACCEPTANCE, burn_in("variance", 1)),
    "hmc": lambda d, project: HMC(N, BY_ACCEPTANCE, burn_in("low-rank", 1), leapfrog_steps=3),
    "metropolis": lambda d, project: Metropolis(N, BY_ACCEPTANCE, burn_in("covariance")),
}
CLIPS = {name: make for name, make in ALGORITHMS.items() if hasattr(make(3, None), "project") and not make(3, None).rejects}
"""Algorithms with hard bounds; the configuration refuses them for the others."""
REJECTS = {name: make for name, make in ALGORITHMS.items() if make(3, None).rejects}
DETERMINISTIC = {name: make for name, make in ALGORITHMS.items() if "svgd" in name and "ssvgd" not in name}


def every(algorithms=ALGORITHMS):
    needs_torch = pytest.mark.skipif(find_spec("zuko") is None, reason='needs pip install "vip-inversion[neural]"')
    marks = {"flow": needs_torch}
    return pytest.mark.parametrize(
        "make", [pytest.param(make, id=name, marks=marks.get(name, ())) for name, make in algorithms.items()]
    )


def build(make, d=3, project=lambda theta: theta):
    return make(d, project)


def quartic(theta):
    """An asymmetric log-density whose entries differ."""
    scale = 1 + np.arange(theta.shape[1])
    z = theta / scale - 0.5
    return Evaluated(-(z**2 / 2 + z**4 / 12).sum(axis=1), -(z + z**3 / 3) / scale)


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
    assert {name.split()[0] for name in ALGORITHMS} == set(BUILT_IN)


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
    algorithm, evaluated = build(make, d), []

    def watched(theta):
        assert theta.dtype == np.float64
        assert theta.shape[1] == d
        evaluated.append(len(theta))
        return quartic(theta)

    state, moved = start(algorithm, d), 0.0
    for iteration in range(8):
        before = state
        state, info = algorithm.step(state, watched, stream(1, iteration, Purpose.STEP))
        assert isinstance(info, Info)
        assert np.isfinite([info.log_density, info.step, *info.more.values()]).all()
        moved += info.step
        assert type(state) is type(before)
    assert moved > 0
    # The first step of a chain also evaluates where it starts; some algorithms need fewer at times.
    assert sum(evaluated) <= 8 * algorithm.n_evaluated * 2 + N
    if not isinstance(algorithm, HMC | Pathfinder) and getattr(algorithm, "start", None) is None:
        assert sum(evaluated) == 8 * algorithm.n_evaluated + N * algorithm.is_chain


@every()
@pytest.mark.parametrize("d", [1, 3])
def test_draws(make, d):
    """As many draws as asked for of a Gaussian; else the particles, whatever the number."""
    algorithm = build(make, d)
    state = start(algorithm, d)
    for n in (1, 7):
        draws = algorithm.draw(state, n, stream(1, 0, Purpose.DRAW))
        assert draws.dtype == np.float64
        if hasattr(state, "particles") and not isinstance(algorithm, Pathfinder):
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
    assert info.log_density == pytest.approx(values[-1].mean(), rel=1e-12)


@every(CLIPS)
def test_hard_bounds_are_kept(make):
    """In every phase, and of every particle: a gradient and noise that push outwards."""
    algorithm = build(make, 3, lambda theta: np.clip(theta, -0.3, 0.4))
    state = algorithm.init(np.clip(stream(1, 0, Purpose.START).standard_normal((N, 3)), -0.3, 0.4))

    def outwards(theta):
        return Evaluated(theta.sum(axis=1), np.full(theta.shape, 30.0))

    for iteration in range(8):
        state, _ = algorithm.step(state, outwards, stream(1, iteration, Purpose.STEP))
        assert state.particles.min() >= -0.3
        assert state.particles.max() <= 0.4


@every(REJECTS)
def test_what_cannot_be_evaluated_is_refused(make):
    """A log-density of -inf: particles never go there, and what is told stays finite."""
    algorithm = build(make)
    state = algorithm.init(-np.abs(stream(1, 0, Purpose.START).standard_normal((N, 3))))

    def half_space(theta):
        value, gradient, *_ = quartic(theta)
        fails = (theta > 0.2).any(axis=1)
        return Evaluated(np.where(fails, -np.inf, value), np.where(fails[:, None], 0.0, gradient))

    for iteration in range(20):
        state, info = algorithm.step(state, half_space, stream(1, iteration, Purpose.STEP))
        # The warm-up has no rejection: what it left there comes back as soon as a step may be refused.
        assert not np.isnan(info.log_density)
    assert np.mean(state.particles > 0.2) < 0.1


@every()
def test_another_stream_is_another_run(make):
    """Of what is stochastic: an algorithm that ignored its generator would still pass all the tests above."""
    algorithm = build(make)
    state, _ = advance(algorithm, start(algorithm), 3)
    a, b = (algorithm.step(state, quartic, stream(seed, 3, Purpose.STEP))[0] for seed in (1, 2))
    same = all(np.array_equal(x, y) for x, y in zip(flatten(a).values(), flatten(b).values(), strict=True))
    assert same == (make in DETERMINISTIC.values())
