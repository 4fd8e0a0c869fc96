"""The contract of `vip.protocols.Algorithm`, held by every algorithm of the registry."""

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from vip.algorithms import ADVI, HMC, MALA, SGLD, SSVGD, SVGD, Metropolis, Nested, Pathfinder, ProjectedSVGD, Tempered
from vip.algorithms.burn_in import BurnIn
from vip.algorithms.families import LowRankGaussian, Triangular
from vip.algorithms.flow import Flow
from vip.algorithms.local_kernel import LocalRBF, neighbourhoods
from vip.algorithms.metrics import DIAGONAL, Covariance, LowRank
from vip.algorithms.optimizers import OPTIMIZERS, Adam, Schedule
from vip.algorithms.stein_kernels import RBF, GroupRBF
from vip.algorithms.step_sizes import Scheduled, TargetAcceptance, TargetError
from vip.algorithms.svgd import Annealing
from vip.methods import BUILT_IN, named
from vip.protocols import Evaluated, ModelSpace, Variable
from vip.rng import Purpose, stream
from vip.runs.store import Store, flatten, unflatten
from vip.testing import ALGORITHM_CHECKS, asymmetric, check_method

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
    "tempered": lambda d, project: Tempered(20, wide_prior, moves=2, last_moves=3),
    "nested": lambda d, project: Nested(20, wide_prior, batch=5, moves=3),
}
CLIPS = {name: make for name, make in ALGORITHMS.items() if hasattr(make(3, None), "project") and not make(3, None).rejects}
"""Algorithms with hard bounds; the configuration refuses them for the others."""
DETERMINISTIC = {name: make for name, make in ALGORITHMS.items() if "svgd" in name and "ssvgd" not in name}


def every(algorithms=ALGORITHMS):
    needs_torch = pytest.mark.skipif(find_spec("zuko") is None, reason='needs pip install "vip-inversion[neural]"')
    marks = {"flow": needs_torch}
    return pytest.mark.parametrize(
        "make", [pytest.param(make, id=name, marks=marks.get(name, ())) for name, make in algorithms.items()]
    )


def build(make, d=3, project=lambda theta: theta):
    return make(d, project)


def advance(algorithm, state, steps, first=0):
    for iteration in range(first, first + steps):
        state, info = algorithm.step(state, asymmetric, stream(1, iteration, Purpose.STEP))
    return state, info


def start(algorithm, d=3):
    return algorithm.init(stream(1, 0, Purpose.START).standard_normal((algorithm.n_particles, d)))


def test_the_table_covers_the_registry():
    assert {name.split()[0] for name in ALGORITHMS} == set(BUILT_IN)


@every()
@pytest.mark.parametrize("check", ALGORITHM_CHECKS.values(), ids=ALGORITHM_CHECKS)
def test_it_holds_to_the_contract(make, check):
    check(lambda d: build(make, d))


@pytest.mark.parametrize("name", BUILT_IN)
def test_its_settings_build_what_holds_to_the_contract(name):
    if name == "flow":
        pytest.importorskip("zuko")
    small = {key: 8 for key in ("particles", "paths", "leapfrog_steps") if key in named(name).model_fields}
    check_method(named(name)(**small))


@every()
def test_a_store_keeps_the_state(make, tmp_path):
    """Every kind of array and number that is in one."""
    algorithm = build(make)
    half, _ = advance(algorithm, start(algorithm), 3)
    store = Store.create(tmp_path / "run", "", {})
    store.commit(3, "running", half)
    restored = flatten(unflatten(start(build(make)), store.checkpoint().arrays))
    assert restored.keys() == flatten(half).keys()
    for key, value in flatten(half).items():
        assert_array_equal(restored[key], value, err_msg=key)


@every()
@pytest.mark.parametrize("d", [1, 3])
def test_it_evaluates_what_it_says(make, d):
    algorithm, evaluated = build(make, d), []

    def watched(theta):
        evaluated.append(len(theta))
        return asymmetric(theta)

    state = start(algorithm, d)
    for iteration in range(8):
        state, _ = algorithm.step(state, watched, stream(1, iteration, Purpose.STEP))
    # The first step of a chain also evaluates where it starts; some algorithms need fewer at times.
    if not isinstance(algorithm, HMC | Nested | Pathfinder | Tempered) and getattr(algorithm, "start", None) is None:
        assert sum(evaluated) == 8 * algorithm.n_evaluated + N * algorithm.is_chain


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


@every()
def test_another_stream_is_another_run(make):
    """An algorithm draws from its generator: one that ignored it would still pass all the tests above."""
    algorithm = build(make)
    state, _ = advance(algorithm, start(algorithm), 3)
    a, b = (algorithm.step(state, asymmetric, stream(seed, 3, Purpose.STEP))[0] for seed in (1, 2))
    same = all(np.array_equal(x, y) for x, y in zip(flatten(a).values(), flatten(b).values(), strict=True))
    assert same == (make in DETERMINISTIC.values())
