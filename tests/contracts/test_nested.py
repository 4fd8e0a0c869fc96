"""Nested sampling against evidences and posteriors in closed form."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import gammaln, logsumexp, softmax

from vip.algorithms import Nested
from vip.errors import AlgorithmError
from vip.inference.posterior import Posterior
from vip.inference.priors import Gaussian, Uniform
from vip.inference.transforms import Logit
from vip.protocols import Evaluated, Weighs
from vip.rng import Purpose, stream

SEEDS = (1, 2, 3)


class Problem(NamedTuple):
    """A likelihood in a box, and the logarithm of its mean there."""

    log_likelihood: object
    half: np.ndarray
    log_evidence: float


class Run(NamedTuple):
    """The algorithm, its last state, what the steps reported, and how many places each evaluated."""

    algorithm: Nested
    state: object
    reported: list
    asked: list

    @property
    def error(self):
        """Log-evidence and its standard error."""
        return self.algorithm.log_evidence(self.state)


def sampled(log_likelihood, prior, seed, n=200, batch=None, moves=20, told=True):
    """A run in theta space, until it ends by itself."""
    transform = Logit(prior.lower, prior.upper)
    posterior = Posterior(prior, transform, None)
    algorithm = Nested(n, posterior.log_prior, batch or n // 4, moves)
    run = Run(algorithm, algorithm.init(transform.to_theta(prior.sample(n, stream(seed, 0, Purpose.START)))), [], [])

    def log_density(theta):
        run.asked.append(len(theta))
        value, (log_prior, _) = log_likelihood(transform.to_model(theta)), posterior.log_prior(theta)
        apart = {"log_likelihood": value} if told else {}
        return Evaluated(value + log_prior, np.full(theta.shape, np.nan), **apart)

    state = run.state
    while not algorithm.has_converged(state):
        state, info = algorithm.step(state, log_density, stream(seed, len(run.reported), Purpose.STEP))
        run.reported.append(info)
        assert len(run.reported) < 20_000, "it does not end"
    return run._replace(state=state)


def in_box(problem, seed, **settings):
    return sampled(problem.log_likelihood, Uniform(-problem.half, problem.half), seed, **settings)


def correlated(d, correlation=0.95, half=5.0):
    covariance = np.full((d, d), correlation) + (1 - correlation) * np.eye(d)
    gaussian = stats.multivariate_normal(np.zeros(d), covariance)
    return Problem(gaussian.logpdf, np.full(d, half), -d * np.log(2 * half))


def small(d=3, sd=0.1):
    """A Gaussian away from the middle, with standard deviations that differ."""
    mean, scale = np.linspace(-0.4, 0.5, d), sd * np.arange(1, d + 1) / d
    constant = np.log(scale).sum() + d / 2 * np.log(2 * np.pi)
    return Problem(lambda x: -0.5 * (((x - mean) / scale) ** 2).sum(axis=1) - constant, np.ones(d), -d * np.log(2))


def eggbox():
    """Eighteen equal modes of five and a half by five and a half periods (Feroz, Hobson & Bridges 2009)."""

    def log_likelihood(x):
        return (2 + np.prod(np.cos((x + 5 * np.pi) / 2), axis=1)) ** 5

    grid = (np.arange(2000) + 0.5) / 2000 * 10 * np.pi - 5 * np.pi
    cosines = np.cos((grid + 5 * np.pi) / 2)
    mean = logsumexp((2 + cosines[:, None] * cosines) ** 5) - 2 * np.log(2000)
    return Problem(log_likelihood, np.full(2, 5 * np.pi), mean)


def shells(d=2, radius=2.0, width=0.1):
    """Two thin shells; the integral over a radius is by quadrature (Feroz, Hobson & Bridges 2009)."""
    centres = np.zeros((2, d))
    centres[:, 0] = -3.5, 3.5

    def log_likelihood(x):
        return logsumexp(stats.norm(radius, width).logpdf(np.linalg.norm(x[:, None] - centres, axis=2)), axis=1)

    r = np.linspace(radius - 10 * width, radius + 10 * width, 20_001)
    one = logsumexp(stats.norm(radius, width).logpdf(r) + (d - 1) * np.log(r)) + np.log(r[1] - r[0])
    sphere = np.log(2) + d / 2 * np.log(np.pi) - gammaln(d / 2)
    return Problem(log_likelihood, np.full(d, 6.0), np.log(2) + sphere + one - d * np.log(12))


MASSES, WIDTHS, PLACE = np.array([0.3, 0.7]), np.array([0.1, 0.25]), 2.5


def two_modes(d=3):
    """Unequal in mass and width, 14 of the larger deviations apart on each axis."""
    centres = np.outer([-PLACE, PLACE], np.ones(d)) * 0.7

    def log_likelihood(x):
        squared = ((x[:, None] - centres) ** 2).sum(axis=2)
        return logsumexp(np.log(MASSES) - d * np.log(WIDTHS) - squared / (2 * WIDTHS**2), axis=1) - d / 2 * np.log(2 * np.pi)

    return Problem(log_likelihood, np.full(d, 5.0), -d * np.log(10))


PROBLEMS = {"small": small, "correlated": lambda: correlated(5), "eggbox": eggbox, "shells": shells, "modes": two_modes}
LARGER = {
    **{"correlated 10": lambda: correlated(10), "correlated 20": lambda: correlated(20), "small 30": lambda: small(30)},
    **{"shells 5": lambda: shells(5), "modes 10": lambda: two_modes(10)},
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_evidence_is_right(name, seed):
    problem = PROBLEMS[name]()
    run = in_box(problem, seed)
    found, error = run.error
    assert 0 < error < 0.5
    assert abs(found - problem.log_evidence) < 3.5 * error
    assert abs(run.reported[-1].more["ranks"]) < 4


@pytest.mark.full
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LARGER)
def test_the_evidence_is_right_in_more_dimensions(name, seed):
    problem = LARGER[name]()
    found, error = in_box(problem, seed, n=500, moves=max(40, 5 * len(problem.half))).error
    assert abs(found - problem.log_evidence) < 3.5 * error


def calibration(make, seeds, **settings):
    """Errors over the standard errors that are said, of many runs."""
    problem = make()
    runs = np.array([in_box(problem, seed, **settings).error for seed in seeds])
    return (runs[:, 0] - problem.log_evidence) / runs[:, 1]


def test_the_error_is_what_many_runs_show():
    """The range is that of 12 normal numbers; error bars wrong by a factor of two are outside."""
    z = calibration(lambda: small(2), range(12), n=60, moves=10)
    assert stats.chi2(12).cdf((z**2).sum()) == pytest.approx(0.5, abs=0.499)
    assert abs(z.mean()) < 3.3 / np.sqrt(12)


@pytest.mark.full
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_error_is_what_many_runs_show_of_every_problem(name):
    z = calibration(PROBLEMS[name], range(10, 30))
    assert stats.chi2(20).cdf((z**2).sum()) < 0.9995
    assert abs(z.mean()) < 3.5 / np.sqrt(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_make_the_posterior(seed):
    """A Gaussian prior that is correlated and not white in theta, and a Gaussian likelihood: neither is uniform anywhere."""
    rng, d = np.random.default_rng(4), 4
    roots = [scale * (np.eye(d) + 0.5 * rng.standard_normal((d, d)) / np.sqrt(d)) for scale in (2.0, 0.5)]
    of_prior, of_data = (root @ root.T for root in roots)
    likelihood = stats.multivariate_normal(np.linspace(-1, 2, d), of_data)
    run = sampled(likelihood.logpdf, Gaussian.full(np.ones(d), of_prior), seed, n=400)
    found, error = run.error
    assert abs(found - stats.multivariate_normal(np.ones(d), of_prior + of_data).logpdf(likelihood.mean)) < 3.5 * error
    x = run.algorithm.draw(run.state, 7, np.random.default_rng(0))
    weights = softmax(run.algorithm.weights(run.state))
    covariance = np.linalg.inv(np.linalg.inv(of_prior) + np.linalg.inv(of_data))
    mean, sd = covariance @ (np.linalg.solve(of_prior, np.ones(d)) + np.linalg.solve(of_data, likelihood.mean)), None
    sd = np.sqrt(np.diag(covariance))
    assert_allclose((weights @ x - mean) / sd, 0, atol=0.2)
    apart = x - weights @ x
    assert_allclose(((weights[:, None] * apart).T @ apart - covariance) / np.outer(sd, sd), 0, atol=0.2)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full), pytest.param(3, marks=pytest.mark.full)])
def test_modes_have_their_masses_and_widths(seed):
    """Also the narrower one, in which at first there are few live points."""
    run = in_box(two_modes(), seed, n=600)
    x = Logit(np.full(3, -5.0), np.full(3, 5.0)).to_model(run.algorithm.draw(run.state, 0, np.random.default_rng(0)))
    weights = softmax(run.algorithm.weights(run.state))
    right = x[:, 0] > 0
    assert weights[right].sum() == pytest.approx(0.7, abs=0.12)
    for mode, width in ((~right, WIDTHS[0]), (right, WIDTHS[1])):
        own = weights[mode] / weights[mode].sum()
        mean = own @ x[mode]
        assert_allclose(mean, np.sign(mean) * 0.7 * PLACE, atol=0.2 * width)
        assert_allclose(np.sqrt(own @ (x[mode] - mean) ** 2), width, rtol=0.2)


PLATEAUS = {
    "flat": (lambda x: np.full(len(x), 3.0), 3.0),
    "nine tenths fail": (lambda x: np.where(np.abs(x[:, 0]) < 0.1, 2.0, -np.inf), 2.0 + np.log(0.1)),
    "stairs": (lambda x: np.floor(np.abs(x[:, 0]) * 4) * 2, np.log(np.mean(np.exp([0, 2, 4, 6])))),
    "a hat": (lambda x: np.where((x**2).sum(axis=1) < 0.01, 5.0, 0.0), np.log1p((np.exp(5) - 1) * np.pi * 0.01 / 4)),
}


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("name", PLATEAUS)
def test_plateaus_neither_hang_nor_bias(name, told):
    """Whether the log-density tells the likelihood apart, or it is a difference with rounding errors."""
    log_likelihood, expected = PLATEAUS[name]
    z = []
    for seed in SEEDS:
        run = sampled(log_likelihood, Uniform(-np.ones(2), np.ones(2)), seed, n=100, moves=10, told=told)
        found, error = run.error
        z.append((found - expected) / max(error, 1e-9))
        assert np.isfinite(run.algorithm.weights(run.state)).any()
    assert np.abs(z).max() < 3.5
    if name == "flat":
        assert found == pytest.approx(3.0, abs=1e-12)


def test_nothing_to_climb_from_is_an_error():
    with pytest.raises(AlgorithmError, match="none of the draws"):
        sampled(lambda x: np.full(len(x), -np.inf), Uniform(-np.ones(2), np.ones(2)), 1)


def test_a_step_is_one_call_of_at_most_a_batch():
    run = in_box(small(), 1)
    assert run.asked[0] == 200
    assert max(run.asked[1:]) <= 50
    assert len(run.asked) == len(run.reported)
    assert isinstance(run.algorithm, Weighs)
    remaining = [info.more["remaining"] for info in run.reported]
    assert remaining[0] <= 200
    assert remaining[-1] <= 0.01 < remaining[-2]
    assert np.isnan(run.algorithm.log_evidence(run.algorithm.init(np.zeros((200, 3))))).all()


def test_live_points_that_die_leave_in_order():
    state = in_box(small(), 1).state
    assert_array_equal(np.sort(state.dead.log_likelihood), state.dead.log_likelihood)
    assert state.live.log_likelihood.min() >= state.dead.log_likelihood.max()
    assert state.dead.alive[:50].tolist() == list(range(200, 150, -1))


def test_ranks_see_walks_in_another_prior_than_that_of_the_first_draws():
    """New live points are too near to the middle, where the likelihood is largest."""
    problem = correlated(2)
    prior, narrower = Uniform(-problem.half, problem.half), Gaussian.diagonal(np.zeros(2), np.full(2, 0.5))
    transform = Logit(prior.lower, prior.upper)
    algorithm = Nested(200, narrower.log_density, 50, 20)
    state = algorithm.init(transform.to_theta(prior.sample(200, stream(1, 0, Purpose.START))))
    ranks = 0.0

    def log_density(theta):
        value = problem.log_likelihood(transform.to_model(theta))
        return Evaluated(value, np.zeros(theta.shape), log_likelihood=value)

    for iteration in range(100):
        state, info = algorithm.step(state, log_density, stream(1, iteration, Purpose.STEP))
        ranks = max(ranks, info.more["ranks"])
    assert ranks > 6


def test_memory_tells_walks_that_go_nowhere():
    problem = correlated(5)
    long, short = (in_box(problem, 1, moves=moves).reported[-1].more["memory"] for moves in (50, 1))
    assert long < 0.35
    assert short > 0.7
