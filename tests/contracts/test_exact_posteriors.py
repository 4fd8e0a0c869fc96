"""Chains with rejection, variational families and SVGD's cures against closed forms; see also test_posteriors.py."""

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from vip.algorithms import ADVI, HMC, MALA, SGLD, SSVGD, SVGD, Metropolis, Pathfinder, ProjectedSVGD
from vip.algorithms.burn_in import BurnIn
from vip.algorithms.families import LowRankGaussian, Triangular
from vip.algorithms.flow import Flow
from vip.algorithms.local_kernel import LocalRBF, neighbourhoods
from vip.algorithms.metrics import DIAGONAL, Covariance, LowRank
from vip.algorithms.optimizers import Adam, Schedule
from vip.algorithms.stein_kernels import RBF, GroupRBF
from vip.algorithms.step_sizes import Scheduled, TargetAcceptance
from vip.inference import loop as runner
from vip.protocols import Evaluated, ModelSpace, Variable
from vip.rng import Purpose, stream


def line(d, reach=1):
    """Neighbourhoods on a line of d nodes."""
    return neighbourhoods(ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(float(d))}),)), reach)


def gaussian(d=4, seed=1):
    """Mean, covariance and log-density of a Gaussian without any symmetry."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((d, d)) / np.sqrt(d) + np.diag(rng.uniform(0.3, 1.5, d))
    mean, covariance = rng.uniform(-3, 3, d), root @ root.T
    precision = np.linalg.inv(covariance)

    def log_density(theta):
        pull = -(theta - mean) @ precision
        return Evaluated(0.5 * ((theta - mean) * pull).sum(axis=1), pull)

    return mean, covariance, log_density


def sampled(algorithm, log_density, theta0, iterations, burn_in, seed=1):
    """Samples (kept, n, d)."""
    state, kept = algorithm.init(theta0), []
    for iteration in range(iterations):
        state, _ = algorithm.step(state, log_density, stream(seed, iteration, Purpose.STEP))
        if iteration >= burn_in:
            kept.append(state.particles)
    return np.array(kept)


def z_scores(series, truth):
    """Errors of the means over time of series (kept, n, m), in standard errors by batch means."""
    batches = np.array([part.mean(axis=(0, 1)) for part in np.array_split(series, 40)])
    return np.abs(batches.mean(axis=0) - truth) / (batches.std(axis=0, ddof=1) / np.sqrt(40))


LIMIT = 4.7
"""Limit of Student's t with 39 degrees of freedom: passed by chance once in 30,000 statistics."""
STEP = 1.1
"""So long that a Langevin chain without rejection, in the coordinates of the metric, doubles variances."""

ADJUSTED = {
    "ssvgd": lambda: SSVGD(6, Scheduled(Schedule(4.0)), RBF(), BurnIn(300, DIAGONAL["gradient"]), adjusted=True),
    "ssvgd low-rank": lambda: SSVGD(6, Scheduled(Schedule(4.0)), RBF(), BurnIn(300, LowRank(2)), adjusted=True),
    "ssvgd, particles close": lambda: SSVGD(
        6, Scheduled(Schedule(2.0)), RBF(4.0), BurnIn(300, DIAGONAL["variance"]), adjusted=True
    ),
    "mala": lambda: MALA(6, Scheduled(Schedule(0.7)), BurnIn(300, DIAGONAL["variance"])),
    "hmc": lambda: HMC(6, Scheduled(Schedule(1.0)), BurnIn(300, LowRank(3)), leapfrog_steps=4),
    "metropolis": lambda: Metropolis(6, TargetAcceptance(1.0, 0.234), BurnIn(500, Covariance())),
}


@pytest.mark.parametrize("make", ADJUSTED.values(), ids=ADJUSTED)
def test_rejection_leaves_no_error_of_the_step(make):
    """A wrong sign, a missing log-determinant, a solve in the wrong direction: each makes another distribution."""
    mean, covariance, log_density = gaussian(3)
    sd = np.sqrt(np.diag(covariance))
    theta0 = mean + 2 * stream(2, 0, Purpose.START).standard_normal((6, 3))
    u = (sampled(make(), log_density, theta0, 16_000, 1000) - mean) / sd
    row, column = np.triu_indices(3)
    assert z_scores(u, 0).max() < LIMIT
    assert z_scores(u[..., row] * u[..., column], (covariance / np.outer(sd, sd))[row, column]).max() < LIMIT


@pytest.mark.parametrize("name", [pytest.param("ssvgd", marks=pytest.mark.full), "mala", "hmc"])
def test_rejection_is_right_for_a_banana(name):
    """Where the kernel, the drift and the density's Hessian all change from step to step."""

    def banana(theta, bend=0.5):
        x, y = theta.T
        rest = y - bend * (x**2 - 1)
        return Evaluated(-0.5 * (x**2 + rest**2), np.stack([-x + 2 * bend * x * rest, -rest], axis=1))

    algorithm = {
        "ssvgd": SSVGD(5, Scheduled(Schedule(0.3)), RBF(2.0), BurnIn(0, DIAGONAL["none"]), adjusted=True),
        "mala": MALA(5, Scheduled(Schedule(0.4)), BurnIn(0, DIAGONAL["none"])),
        "hmc": HMC(5, Scheduled(Schedule(0.6)), BurnIn(0, DIAGONAL["none"]), leapfrog_steps=5),
    }[name]
    theta0 = stream(3, 0, Purpose.START).standard_normal((5, 2))
    x, y = np.moveaxis(sampled(algorithm, banana, theta0, 30_000, 500, seed=3), -1, 0)
    # x ~ N(0, 1); y = (x^2 - 1) / 2 + noise, so that E y = 0, E y^2 = 1.5, E x^2 y = 1, E y^3 = 1.
    found = np.stack([x, y, x**2, y**2, x**2 * y, y**3], axis=-1)
    assert z_scores(found, np.array([0, 0, 1, 1.5, 1, 1])).max() < LIMIT


class Blocks:
    """A Gaussian log-density in ten parts whose gradients differ, of which two halves are drawn each time."""

    def __init__(self, accounted):
        self.offsets = np.random.default_rng(4).standard_normal(10) * 6
        self.offsets -= self.offsets.mean()
        self.rng, self.accounted = np.random.default_rng(5), accounted

    def __call__(self, theta):
        drawn = self.rng.choice(10, 4, replace=False)
        a, b = (-theta + self.offsets[half].mean() for half in (drawn[:2], drawn[2:]))
        noise = np.sqrt(1 - 4 / 10) * (a - b) / 2 if self.accounted else np.zeros((0, 0))
        return Evaluated(np.zeros(len(theta)), (a + b) / 2, noise)


@pytest.mark.parametrize("kind", ["sgld", "ssvgd"])
def test_noise_of_estimated_gradients_is_accounted_for(kind):
    """Without it variances are those of gradient noise and added noise together."""
    variances = []
    for accounted in (False, True):
        start = BurnIn(0, DIAGONAL["none"])
        algorithm = (
            SGLD(4, Scheduled(Schedule(0.15)), start) if kind == "sgld" else SSVGD(4, Scheduled(Schedule(0.6)), RBF(0.5), start)
        )
        theta0 = 3 * stream(6, 0, Purpose.START).standard_normal((4, 6))
        variances.append(np.var(sampled(algorithm, Blocks(accounted), theta0, 12_000, 500, seed=6)))
    # A step of 0.15 itself inflates by 8 %; the noise of the blocks' mean has a variance of 36 * 0.6 / 4.
    assert variances[0] > 1.35
    assert variances[1] == pytest.approx(1 / (1 - 0.15 / 2), rel=0.05)


FAMILIES = {
    "mean-field": lambda d: Triangular.mean_field(),
    "full-rank": Triangular.full_rank,
    "structured": lambda d: Triangular.between(line(d)),
    "low-rank": lambda d: LowRankGaussian(2),
    "flow": lambda d: Flow(d, transforms=2, hidden=8),
}


NEEDS_TORCH = pytest.mark.skipif(find_spec("zuko") is None, reason='needs pip install "vip-inversion[neural]"')


@pytest.fixture(params=[pytest.param(name, marks=NEEDS_TORCH if name == "flow" else ()) for name in FAMILIES])
def fitted(request):
    """A family with parameters that are nothing special, noise, and what it makes of it."""
    rng, d = np.random.default_rng(7), 5
    family = FAMILIES[request.param](d)
    parameters = family.init(rng.standard_normal((50, d)) * 2 + 1)
    free = np.broadcast_to(family.pace(d), parameters.shape) > 0
    parameters = parameters + np.where(free, 0.3 * rng.standard_normal(len(parameters)), 0)
    noise = rng.standard_normal((4, family.n_noise(d)))
    return family, parameters, noise, family.sample(parameters, noise)


def test_a_familys_density_has_its_gradient(fitted):
    """At the samples, and of any theta by the noise that makes it."""
    family, parameters, noise, theta = fitted
    value, gradient = family.density(parameters, theta, noise)
    assert_allclose(family.density(parameters, theta, family.noise(parameters, theta))[0], value, rtol=1e-10)

    def density(at):
        return family.density(parameters, at, family.noise(parameters, at))[0]

    for k, row in enumerate(1e-5 * np.eye(theta.shape[1])):
        assert_allclose(gradient[:, k], (density(theta + row) - density(theta - row)) / 2e-5, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("fitted", [name for name in FAMILIES if name != "flow"], indirect=True)
def test_a_gaussian_familys_density_is_the_gaussians(fitted):
    family, parameters, noise, theta = fitted
    mean = family.sample(parameters, np.zeros_like(noise[:1]))[0]
    factor = (family.sample(parameters, np.eye(noise.shape[1])) - mean).T
    covariance = factor @ factor.T
    value, gradient = family.density(parameters, theta, noise)
    assert_allclose(value, stats.multivariate_normal(mean, covariance).logpdf(theta), rtol=1e-10)
    assert_allclose(gradient, -np.linalg.solve(covariance, (theta - mean).T).T, rtol=1e-9, atol=1e-9)


def test_a_familys_chain_rule(fitted):
    """The chain rule holds for any function of the samples, here a linear one."""
    family, parameters, noise, _ = fitted
    weight = np.random.default_rng(8).standard_normal((4, 5))
    gradient = family.chain(parameters, weight, noise)
    pace = np.broadcast_to(family.pace(5), parameters.shape)
    for k in np.flatnonzero(pace > 0)[:: max(1, len(parameters) // 40)]:
        step = np.zeros_like(parameters)
        step[k] = 1e-5
        ends = [(family.sample(parameters + sign * step, noise) * weight).sum() / 4 for sign in (1, -1)]
        assert gradient[k] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-7)


@NEEDS_TORCH
def test_a_flows_density_is_normalised():
    flow, rng = Flow(1, transforms=2, hidden=8), np.random.default_rng(9)
    parameters = flow.init(rng.standard_normal((50, 1)))
    parameters[2:] += 0.5 * rng.standard_normal(len(parameters) - 2)
    grid = np.linspace(-15, 15, 200_001)[:, None]
    value, _ = flow.density(parameters, grid, grid)
    assert np.exp(value).sum() * 30 / 200_000 == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("start", [None, Pathfinder(2)], ids=["prior", "pathfinder"])
@pytest.mark.parametrize("name", ["full-rank", "structured", "low-rank"])
def test_a_family_that_holds_the_posterior_finds_it_and_stops(name, start):
    """Sticking the landing: at the posterior the gradient has no noise, so that it is met to rounding errors of the step."""
    d, rng = 6, np.random.default_rng(10)
    diagonal = np.diag(rng.uniform(0.5, 2, d))
    below = {"full-rank": np.tril(rng.uniform(-1, 1, (d, d)), -1), "structured": np.diag(rng.uniform(-1, 1, d - 1), -1)}
    B = rng.standard_normal((d, 2))
    factor = np.concatenate([diagonal, B], axis=1) if name == "low-rank" else diagonal + below[name]
    mean, covariance = rng.uniform(-3, 3, d), factor @ factor.T
    precision = np.linalg.inv(covariance)

    def log_density(theta):
        pull = -(theta - mean) @ precision
        return Evaluated(0.5 * ((theta - mean) * pull).sum(axis=1) - 7.0, pull)

    family = FAMILIES[name](d)
    algorithm = ADVI(4, Adam(Schedule(0.05)), family, halvings=6, start=start, start_iterations=50)
    state = algorithm.init(rng.standard_normal((algorithm.n_particles, d)))
    for iteration in range(20_000):
        state, info = algorithm.step(state, log_density, stream(11, iteration, Purpose.STEP))
        if algorithm.has_converged(state):
            break
    assert algorithm.has_converged(state)
    found_mean = family.sample(state.parameters, np.zeros((1, family.n_noise(d))))[0]
    found = (family.sample(state.parameters, np.eye(family.n_noise(d))) - found_mean).T
    sd = np.sqrt(np.diag(covariance))
    assert_allclose(found_mean, mean, atol=0.02)
    assert_allclose(found @ found.T / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=0.03)
    # The ELBO is the evidence: that of the Gaussian is known.
    evidence = 0.5 * d * np.log(2 * np.pi) + np.log(np.linalg.det(covariance)) / 2 - 7.0
    assert info.more["elbo"] == pytest.approx(evidence, abs=0.02)


def test_pairs_take_the_noise_from_the_mean():
    """For a Gaussian posterior the gradient by the mean is odd in the noise."""
    mean, _, log_density = gaussian(4)
    algorithm = ADVI(2, Adam(Schedule(0.1)), Triangular.mean_field())
    rng = np.random.default_rng(12)
    state = algorithm.init(mean + rng.standard_normal((200, 4)))
    at_mean = state._replace(parameters=np.concatenate([mean, state.parameters[4:]]))
    moved, _ = algorithm.step(at_mean, log_density, rng)
    assert_allclose(moved.optimizer.first[:4], 0, atol=1e-12)


def test_pathfinder_finds_a_gaussian():
    """In few dimensions its Hessian is nearly complete; five draws of an ELBO choose among the last points of a path."""
    mean, covariance, log_density = gaussian(3, seed=4)
    algorithm = Pathfinder(4)
    state = algorithm.init(stream(13, 0, Purpose.START).standard_normal((4, 3)) * 3)
    for iteration in range(100):
        state, _ = algorithm.step(state, log_density, stream(13, iteration, Purpose.STEP))
    assert algorithm.has_converged(state)
    draws = algorithm.draw(state, 100_000, stream(13, 0, Purpose.DRAW))
    sd = np.sqrt(np.diag(covariance))
    assert_allclose((draws.mean(axis=0) - mean) / sd, 0, atol=0.3)
    assert_allclose(draws.std(axis=0) / sd, 1, atol=0.3)
    evidence = 1.5 * np.log(2 * np.pi) + np.log(np.linalg.det(covariance)) / 2
    # The largest of many estimates, each from five draws, is too large by about a standard error.
    assert state.elbo.max() == pytest.approx(evidence, abs=1.0)


def test_pathfinder_prefers_the_higher_mode():
    """Two modes far apart: draws are from each in proportion to its mass, which its ELBO gives."""

    def two_modes(theta):
        logs = np.stack([-0.5 * (theta + 10) ** 2, np.log(3) - 0.5 * (theta - 10) ** 2]).sum(axis=2)
        share = np.exp(logs - np.logaddexp(*logs))
        pull = share[0][:, None] * (theta + 10) + share[1][:, None] * (theta - 10)
        return Evaluated(np.logaddexp(*logs), -pull)

    algorithm = Pathfinder(8)
    state = algorithm.init(np.linspace(-12, 12, 8)[:, None])
    for iteration in range(60):
        state, _ = algorithm.step(state, two_modes, stream(14, iteration, Purpose.STEP))
    draws = algorithm.draw(state, 4000, stream(14, 0, Purpose.DRAW))
    right = np.mean(state.mean > 0)
    assert np.mean(draws > 0) == pytest.approx(3 * right / (3 * right + 1 - right), abs=0.1)


def test_a_local_kernel_of_everything_is_the_global_one():
    x, g = np.random.default_rng(15).standard_normal((2, 7, 40))
    assert_allclose(LocalRBF(line(40, reach=39)).direction(x, g), RBF().direction(x, g), rtol=1e-9, atol=1e-12)


def test_a_local_kernel_sees_its_neighbourhood_only():
    """Entry 0 moves the same whatever particles are beyond its neighbour; and each entry by the double sum over its own."""
    rng = np.random.default_rng(16)
    x, g = rng.standard_normal((2, 5, 4))
    far = x.copy()
    far[:, 2:] += rng.standard_normal((5, 2))
    kernel = LocalRBF(line(4))
    assert_array_equal(kernel.direction(x, g)[:, 0], kernel.direction(far, g)[:, 0])
    alone = RBF().direction(x[:, :2], g[:, :2])
    assert_allclose(kernel.direction(x, g)[:, 0], alone[:, 0], rtol=1e-12)


@pytest.mark.parametrize("widening", [1.0, 2.5])
def test_groups_move_as_if_each_were_alone(widening):
    """Entries scattered over the model, in groups of different sizes, under any labels."""
    rng = np.random.default_rng(22)
    groups = 10 * rng.permutation(np.repeat(np.arange(70), rng.integers(1, 5, 70))) - 300
    x, g = rng.standard_normal((2, 6, len(groups)))
    found = GroupRBF(groups, widening).direction(x, g)
    for group in np.unique(groups):
        own = groups == group
        alone = RBF(widening=widening).direction(x[:, own], g[:, own])
        assert_allclose(found[:, own], alone, rtol=1e-9, atol=1e-12)


def test_projected_particles_stay_the_prior_where_the_data_say_nothing():
    """Two informed directions of eight: they get the posterior's spread, all others keep the particles that they had."""
    d, n, rng = 8, 60, np.random.default_rng(17)
    informed = np.linalg.qr(rng.standard_normal((d, 2)))[0]

    def log_prior(theta):
        return -0.5 * (theta**2).sum(axis=1), -theta

    def log_posterior(theta):
        misfit = theta @ informed - 1.0
        value = log_prior(theta)[0] - 8 * (misfit**2).sum(axis=1)
        return Evaluated(value, -theta - 16 * misfit @ informed.T)

    theta0 = rng.standard_normal((n, d))
    theta0 = (theta0 - theta0.mean(axis=0)) / theta0.std(axis=0)
    algorithm = ProjectedSVGD(n, Adam(Schedule(0.05, decay=0.01)), log_prior, rank=4)
    state = algorithm.init(theta0)
    for iteration in range(1500):
        state, _ = algorithm.step(state, log_posterior, stream(17, iteration, Purpose.STEP))
    across = np.eye(d) - informed @ informed.T
    assert_allclose(state.particles @ across, theta0 @ across, atol=1e-6)
    coefficients = state.particles @ informed
    assert_allclose(coefficients.mean(axis=0), 16 / 17, atol=0.02)
    assert_allclose(coefficients.std(axis=0), 1 / np.sqrt(17), rtol=0.1)


def test_local_kernels_cure_the_collapse():
    """A thousand independent entries: plain SVGD keeps a fraction of the variance, a kernel for each entry nearly all."""
    d, n = 1000, 30
    spreads = []
    for kernel in (RBF(), LocalRBF(line(d, reach=0))):
        algorithm = SVGD(n, Adam(Schedule(0.1, decay=0.02)), kernel)
        state = algorithm.init(stream(18, 0, Purpose.START).standard_normal((n, d)))
        for _ in range(150):
            state, _ = algorithm.step(state, lambda theta: Evaluated(-0.5 * (theta**2).sum(axis=1), -theta), None)
        spreads.append(state.particles.var())
    assert spreads[0] < 0.3
    assert spreads[1] > 0.85


def test_runs_that_have_converged_end():
    """The runner stops there, and keeps the draws."""
    mean, _, log_density = gaussian(3)
    algorithm = ADVI(4, Adam(Schedule(0.05)), Triangular.full_rank(3), halvings=3)
    kept = []

    class Memory:
        def append(self, iteration, models, log_weights):
            kept.append((iteration, models))

        def commit(self, iteration, status, state):
            self.status, self.iteration = status, iteration

        def log_metrics(self, *line):
            pass

    memory = Memory()
    state = algorithm.init(np.random.default_rng(19).standard_normal((200, 3)))
    schedule = runner.Schedule(100_000, draws=500)
    records = runner.steps(algorithm, lambda i: log_density, lambda t: t, state, 0, schedule, 1)
    status = runner.follow(records, memory, state, 0)
    assert status == memory.status == "finished"
    assert 600 <= memory.iteration < 20_000
    ((at, draws),) = kept
    assert at == memory.iteration
    assert_allclose(draws.mean(axis=0), mean, atol=0.3)
