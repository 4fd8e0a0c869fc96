"""Tempered sequential Monte Carlo against evidences and posteriors in closed form."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import vip
from vip.algorithms import Tempered
from vip.algorithms.tempered import Population, longest_step, moved, spread
from vip.errors import AlgorithmError, ConfigError
from vip.methods import Tempered as Settings
from vip.protocols import Evaluated, Weighs
from vip.rng import Purpose, stream

SEEDS = (1, 2, 3)
WIDE = 10.0
"""Standard deviation of the prior of two modes."""


def posterior(log_likelihood, log_prior):
    """The log-density of their product; its gradients are ignored."""
    return lambda theta: Evaluated(log_likelihood(theta) + log_prior(theta), np.full(theta.shape, np.nan))


def sampled(log_likelihood, log_prior, theta0, seed, **settings):
    """The algorithm, its last state and what the steps reported."""
    algorithm = Tempered(len(theta0), lambda theta: (log_prior(theta), np.zeros(theta.shape)), **settings)
    density, state, reported = posterior(log_likelihood, log_prior), algorithm.init(theta0), []
    while not algorithm.has_converged(state):
        state, info = algorithm.step(state, density, stream(seed, len(reported), Purpose.STEP))
        reported.append(info)
    return algorithm, state, reported


def gaussian(d):
    """Prior and likelihood of a Gaussian without any symmetry."""
    rng = np.random.default_rng(d)
    roots = [scale * (np.eye(d) + 0.5 * rng.standard_normal((d, d)) / np.sqrt(d)) for scale in (2.0, 0.5)]
    prior = stats.multivariate_normal(np.ones(d), roots[0] @ roots[0].T)
    return prior, stats.multivariate_normal(np.linspace(-1, 2, d), roots[1] @ roots[1].T)


def evidence(prior, likelihood):
    """Logarithm: the density of the likelihood's mean under the convolution of both."""
    return stats.multivariate_normal(prior.mean, prior.cov + likelihood.cov).logpdf(likelihood.mean)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("d", [1, 3, 8])
def test_a_gaussian_has_its_evidence_and_moments(d, seed):
    prior, likelihood = gaussian(d)
    theta0 = prior.rvs(2000, random_state=seed).reshape(-1, d)
    algorithm, state, _ = sampled(lambda x: likelihood.logpdf(x), lambda x: prior.logpdf(x), theta0, seed)
    found, error = algorithm.log_evidence(state)
    assert 0 < error < 0.15  # measured: 0.03 to 0.11
    assert abs(found - evidence(prior, likelihood)) < 3.5 * error
    of_prior, of_likelihood = (np.linalg.inv(np.atleast_2d(each.cov)) for each in (prior, likelihood))
    covariance = np.linalg.inv(of_prior + of_likelihood)
    mean, sd = covariance @ (of_prior @ prior.mean + of_likelihood @ likelihood.mean), np.sqrt(np.diag(covariance))
    assert_allclose((state.particles.mean(axis=0) - mean) / sd, 0, atol=0.15)
    assert_allclose((np.cov(state.particles.T) - covariance) / np.outer(sd, sd), 0, atol=0.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_modes_have_their_masses_and_evidence(seed):
    """Eight standard deviations apart, with masses of 0.3 and 0.7, in a likelihood that integrates to 5 under a flat prior."""
    d, apart = 2, 8.0
    modes, log_mass = np.array([[-apart / 2, 0.0], [apart / 2, 0.0]]), np.log([0.3, 0.7])

    def log_likelihood(x):
        distance = ((x[:, None] - modes) ** 2).sum(axis=-1)
        return np.log(5) - d / 2 * np.log(2 * np.pi) + np.logaddexp.reduce(log_mass - distance / 2, axis=1)

    def log_prior(x):
        return stats.norm(0, WIDE).logpdf(x).sum(axis=1)

    # Of each mode the evidence is that of two Gaussians; they are equally far from the prior's mean.
    expected = np.log(5) + stats.norm(0, np.sqrt(1 + WIDE**2)).logpdf(modes[0]).sum()
    theta0 = WIDE * np.random.default_rng(seed).standard_normal((2000, d))
    algorithm, state, _ = sampled(log_likelihood, log_prior, theta0, seed)
    found, error = algorithm.log_evidence(state)
    assert abs(found - expected) < 4 * error
    right = state.particles[:, 0] > 0
    assert right.mean() == pytest.approx(0.7, abs=0.06)
    shrunk = WIDE**2 / (1 + WIDE**2)
    for mode, own in zip(modes, (state.particles[~right], state.particles[right]), strict=True):
        assert_allclose(own.mean(axis=0), shrunk * mode, atol=0.2)
        assert_allclose(own.std(axis=0), np.sqrt(shrunk), rtol=0.12)


@pytest.mark.parametrize("moves", [2, 20])
def test_the_error_of_the_evidence_is_what_many_runs_show(moves):
    """Also where moves are too few for particles to forget where they were."""
    prior, likelihood = gaussian(8)
    runs = []
    for seed in range(25):
        theta0 = prior.rvs(300, random_state=seed)
        density = (lambda x: likelihood.logpdf(x)), (lambda x: prior.logpdf(x))
        algorithm, state, _ = sampled(*density, theta0, seed, moves=moves, last_moves=1)
        runs.append(algorithm.log_evidence(state))
    found, errors = np.array(runs).T
    assert 0.4 < errors.mean() / np.sqrt(np.mean((found - evidence(prior, likelihood)) ** 2)) < 2.5


def test_what_it_tells_and_that_it_ends():
    prior, likelihood = gaussian(2)
    algorithm, state, reported = sampled(
        lambda x: likelihood.logpdf(x), lambda x: prior.logpdf(x), prior.rvs(300, random_state=1), 1, effective=0.8
    )
    powers = [info.more["power"] for info in reported]
    assert powers == sorted(powers)
    assert powers[-1] == 1.0
    assert all(0 < info.more["acceptance"] < 1 for info in reported)
    assert reported[-1].more["log_evidence"] == algorithm.log_evidence(state)[0]
    assert isinstance(algorithm, Weighs)
    assert algorithm.weights(state).tolist() == [0.0] * 300
    assert np.isnan(algorithm.log_evidence(algorithm.init(np.zeros((300, 2))))).all()


def test_a_step_leaves_the_share_wanted():
    value = np.random.default_rng(0).normal(0, 30, (1000, 2))
    step = longest_step(value, np.ones(2), 0.7)
    weight = np.exp(step * (value - value.max(axis=0)))
    assert_allclose(weight.sum(axis=0) ** 2 / (weight**2).sum(axis=0) / 1000, 0.7, atol=0.01)


def test_draws_of_the_prior_that_fail_are_left_out():
    """Nine of ten: the evidence is a tenth of what it were."""
    theta0 = np.random.default_rng(1).uniform(0, 1, (2000, 1))

    def log_likelihood(x):
        return np.where(x[:, 0] < 0.1, 0.0, -np.inf)

    def log_prior(x):
        return np.where((x[:, 0] > 0) & (x[:, 0] < 1), 0.0, -np.inf)

    algorithm, state, _ = sampled(log_likelihood, log_prior, theta0, 1)
    assert state.particles.max() < 0.1
    assert algorithm.log_evidence(state)[0] == pytest.approx(np.log(0.1), abs=0.2)
    with pytest.raises(AlgorithmError, match="none of the draws"):
        sampled(lambda x: np.full(len(x), -np.inf), log_prior, theta0, 1)


def test_where_the_prior_is_zero_the_likelihood_is_not_asked():
    x = np.random.default_rng(2).uniform(0, 1, (200, 1, 1))

    def log_prior(places):
        return np.where((places > 0) & (places < 1), 0.0, -np.inf)[..., 0]

    def log_likelihood(places):
        assert (places > 0).all()
        assert (places < 1).all()
        return np.zeros(places.shape[:2])

    here = Population(x, np.zeros((200, 1)), np.zeros((200, 1)))
    there = moved(here, np.ones(1), log_likelihood, log_prior, np.random.default_rng(3))
    assert 0 < there.accepted.mean() < 1


FORWARD = """
import numpy as np
from vip.protocols import ModelSpace, Variable

class Normal:
    space = ModelSpace((Variable("x", "1", ("i",), {"i": np.arange(2.0)}),))
    includes_prior = False

    @classmethod
    def from_settings(cls, settings, base_dir):
        forward = cls()
        forward.includes_prior = settings.get("includes_prior", False)
        return forward

    def start(self, n, rng):
        return np.full((n, 2), 100.0)

    def __call__(self, models):
        return -0.5 * np.sum((models - 1) ** 2, axis=1), 1 - models
"""
CONFIG = """
[forward]
plugin = "./normal.py:Normal"
{forward}
[prior.x]
kind = "gaussian"
mean = 0.0
sd = 2.0
[algorithm]
name = "tempered"
particles = 500
"""


def test_a_run_starts_from_the_prior_and_is_resumed_to_the_bit(tmp_path):
    """Even where the forward knows where to start: there, the evidence would be another."""
    (tmp_path / "normal.py").write_text(FORWARD)
    (tmp_path / "problem.toml").write_text(CONFIG.format(forward=""))
    whole = vip.run(vip.load_problem(tmp_path / "problem.toml"), tmp_path / "whole")
    reported = whole.store.metrics()[-1]
    assert reported["power"] == 1.0
    expected = np.log(2 * np.pi) + 2 * stats.norm(0, np.sqrt(5)).logpdf(1)
    assert reported["log_evidence"] == pytest.approx(expected, abs=0.3)
    calls = iter([False, True])
    vip.run(vip.load_problem(tmp_path / "problem.toml"), tmp_path / "half", stop=lambda: next(calls))
    resumed = vip.resume(tmp_path / "half")
    assert resumed.status == "finished"
    np.testing.assert_array_equal(resumed.models, whole.models)


def test_a_forward_that_includes_the_prior_is_refused(tmp_path):
    (tmp_path / "normal.py").write_text(FORWARD)
    (tmp_path / "problem.toml").write_text(CONFIG.format(forward="includes_prior = true"))
    with pytest.raises(ConfigError, match="likelihood and prior apart"):
        vip.load_problem(tmp_path / "problem.toml").build_algorithm()


def test_settings_are_those_of_the_algorithm():
    algorithm = Settings(particles=40, effective=0.9, moves=2, last_moves=3).build(_target())
    assert (algorithm.n_particles, algorithm.effective, algorithm.moves, algorithm.last_moves) == (40, 0.9, 2, 3)


def _target():
    from vip.protocols import Target

    return Target(None, None, lambda theta: (theta, theta), lambda theta: theta)


def test_problems_side_by_side_have_both_modes_with_their_weights():
    """A density known in closed form, in a box of a million times its volume; other problems do not matter."""
    modes, sd = np.array([[-30.0, 10, 5], [40.0, -20, 15]]), np.array([0.5, 1.0, 2.0])
    weight = np.array([0.3, 0.7])

    def log_likelihood(x, problems):
        apart = (x[:, :, None] - modes) / sd
        mixed = np.logaddexp.reduce(np.log(weight) - 0.5 * (apart**2).sum(axis=-1), axis=-1)
        return np.where(problems == 1, mixed, -0.5 * ((x - 1) ** 2).sum(axis=-1))

    box = np.tile([100.0, 100, 30], (3, 1))
    x = spread(log_likelihood, -box, box, 2000, np.random.default_rng(4))[:, 1]
    right = x[:, 0] > 0
    assert right.mean() == pytest.approx(0.7, abs=0.1)
    for mode, own in zip(modes, (x[~right], x[right]), strict=True):
        assert_allclose(own.mean(axis=0), mode, atol=0.15 * sd.max())
        assert_allclose(own.std(axis=0), sd, rtol=0.15)
