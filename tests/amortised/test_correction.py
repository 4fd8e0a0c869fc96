"""What a proposal becomes with the exact likelihood, where the posterior is a Gaussian known in closed form."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import vip
from vip.amortised.correction import CHAINS, correct, reweighted
from vip.amortised.prediction import predict
from vip.diagnose.statistics import pareto_k, smoothed_weights
from vip.errors import ConfigError
from vip.inference.priors import Gaussian, Joint, Uniform
from vip.inference.proposed import InTheta, facts
from vip.inference.transforms import Logit
from vip.methods import HMC, MALA, SSVGD, SVGD
from vip.protocols import ModelSpace, Variable
from vip.runs.inversion import starting_models

D = 6
MEAN = np.linspace(-1, 2, D)
ROOT = np.tril(np.random.default_rng(3).normal(0, 0.3, (D, D))) + np.diag(np.linspace(0.3, 1.2, D))
COVARIANCE = ROOT @ ROOT.T
PRIOR = Gaussian.diagonal(np.zeros(D), np.full(D, 5.0))


class Wrong:
    """A Gaussian that is off by so many standard deviations in each direction, and too wide by a factor."""

    def __init__(self, off, wide, warnings=()):
        self.exact = stats.multivariate_normal(MEAN + off * ROOT.sum(axis=1), wide**2 * COVARIANCE)
        self.warnings = warnings

    def sample(self, n, rng):
        return self.exact.rvs(n, random_state=rng).reshape(n, -1)

    def log_density(self, models):
        return np.atleast_1d(self.exact.logpdf(models))


class Line:
    """A likelihood such that the posterior with `PRIOR` is N(MEAN, COVARIANCE), and a proposal."""

    space = ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(float(D))}),))

    def __init__(self, off=0.0, wide=1.0, warnings=()):
        self.proposed = Wrong(off, wide, warnings)
        self.evaluated = 0

    def __call__(self, models):
        self.evaluated += len(models)
        prior_value, prior_gradient = PRIOR.log_density(models)
        gradient = -np.linalg.solve(COVARIANCE, (models - MEAN).T).T
        return 0.5 * ((models - MEAN) * gradient).sum(axis=1) - prior_value, gradient - prior_gradient

    def proposal(self, prior):
        assert prior["v"].kind == "gaussian"
        return self.proposed


def problem(seed=0, **of_proposal):
    return vip.make_problem(Line(**of_proposal), PRIOR, seed=seed)


def assert_moments(result, sds=4.5):
    n = min(result.effective_size, 500)
    sd = np.sqrt(np.diag(COVARIANCE))
    assert_allclose(result.mean_model, MEAN, atol=sds * sd.max() / np.sqrt(n))
    weighted = np.cov(result.flat.T, aweights=result.weights)
    assert_allclose(weighted, COVARIANCE, atol=sds * sd.max() ** 2 * np.sqrt(2 / n))


def test_a_prediction_is_the_proposal_and_evaluates_nothing():
    of = problem(off=0.5, warnings=["odd data"])
    found = predict(of, 4000)
    assert (found.how, found.warnings, of.forward.evaluated) == ("predicted", ("odd data",), 0)
    assert found.result.models.shape == (1, 4000, D)
    assert_allclose(found.result.mean_model, of.forward.proposed.exact.mean, atol=0.1)
    assert_array_equal(predict(of, 4000).result.flat, found.result.flat)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_slightly_wrong_proposal_is_reweighted(seed):
    found = correct(problem(seed, off=0.15, wide=1.15), 2000)
    assert found.how == "reweighted"
    assert found.result.effective_size >= 400
    assert_moments(found.result)
    assert "k = " in found.facts["Importance weights"]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("wrong", [{"off": 3.0, "wide": 0.5}, {"off": 0.0, "wide": 0.4}, {"off": 2.0, "wide": 3.0}])
def test_a_proposal_that_is_far_off_is_replaced_by_chains(wrong, seed):
    of = problem(seed, **wrong)
    found = correct(of)
    assert found.how == "sampled"
    assert not found.warnings
    assert_moments(found.result)
    assert "R-hat" in found.facts["Chains"]
    assert "not used" in found.facts["Importance weights"]
    assert found.result.models.shape[0] == CHAINS.particles
    assert found.result.verdict.startswith("converged")
    told = int(found.facts["Evaluations"].split()[0].replace(",", ""))
    assert abs(of.forward.evaluated - 1000 - told) <= CHAINS.particles


def test_more_draws_are_taken_where_they_will_do():
    """A proposal too wide has bounded ratios; the first few draws are worth too little."""
    found = correct(problem(wide=1.8), 1000)
    assert found.how == "reweighted"
    assert len(found.result.flat) > 1000
    assert_moments(found.result)


def test_chains_that_never_agree_are_told(monkeypatch):
    """Two modes far apart: chains stay in that in which they began."""

    class Modes(Line):
        def __call__(self, models):
            near = [stats.multivariate_normal(np.full(D, at), 0.01).logpdf(models) for at in (-3, 3)]
            which = np.where(near[0] > near[1], -3.0, 3.0)
            return np.logaddexp(*near), (which[:, None] - models) / 0.01

    monkeypatch.setattr("vip.amortised.correction.CHAINS", CHAINS.with_iterations(200))
    of = vip.make_problem(Modes(wide=3.0), PRIOR)
    found = correct(of)
    assert found.how == "sampled"
    assert "do not agree after 200 iterations" in found.warnings[-1]


def test_weights_are_those_of_the_ratios():
    """The proposal is a Gaussian twice as wide: weighted means are those of the posterior, and k agrees."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 2, 20_000)
    ratios = stats.norm.logpdf(x) - stats.norm.logpdf(x, scale=2) + 7.0
    log_weights, k = smoothed_weights(np.append(ratios, -np.inf))
    weights = np.exp(log_weights)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] == 0
    assert weights[:-1] @ x**2 == pytest.approx(1, abs=0.05)
    assert k == pytest.approx(pareto_k(ratios))
    assert k < 0.5


@pytest.mark.parametrize("spread", [1e3, 1e5])
def test_a_hopeless_proposal_has_no_good_shape(spread):
    """Ratios that differ by more than numbers can: the library's fit of their tail is then k = 0.05, which is no finding."""
    ratios = np.random.default_rng(2).normal(0, spread, 1000)
    log_weights, k = smoothed_weights(ratios)
    assert k > 0.7
    assert pareto_k(ratios) > 0.7
    assert np.exp(log_weights).sum() == pytest.approx(1)


def test_a_proposal_in_theta_has_the_jacobian_of_the_transform():
    """Between bounds: the density of theta integrates to one."""
    transform = Logit(np.array([0.0]), np.array([2.0]))

    class Flat:
        warnings = ()

        def sample(self, n, rng):
            return rng.uniform(0, 2, (n, 1))

        def log_density(self, models):
            return np.full(len(models), -np.log(2))

    proposal = InTheta(Flat(), transform)
    theta = np.linspace(-20, 20, 4001)[:, None]
    assert np.exp(proposal.log_density(theta)).sum() * 0.01 == pytest.approx(1, abs=1e-6)
    assert_allclose(
        transform.to_model(proposal.sample(3, np.random.default_rng(0))), Flat().sample(3, np.random.default_rng(0))
    )


def test_ratios_of_a_bounded_problem_do_not_depend_on_its_coordinates():
    """The proposal is the posterior: a uniform one between the prior's bounds, and a likelihood of one."""

    class Nothing:
        space = ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(2.0)}),))

        def __call__(self, models):
            return np.zeros(len(models)), np.zeros_like(models)

        def proposal(self, prior):
            bounds = prior["v"].lower, prior["v"].upper

            class Same:
                warnings = ()

                def sample(self, n, rng):
                    return rng.uniform(*bounds, (n, 2))

                def log_density(self, models):
                    return np.full(len(models), -np.log(bounds[1] - bounds[0]).sum())

            return Same()

    found = reweighted(vip.make_problem(Nothing(), Uniform(np.array([1.0, 2.0]), np.array([3.0, 7.0]))), 200)
    assert_allclose(found.log_weights, -np.log(200), atol=1e-9)
    assert found.effective_size == pytest.approx(200)


# Runs that start from a proposal


@pytest.mark.parametrize("method", [HMC(particles=50), MALA(particles=50), SSVGD(particles=50), SVGD(particles=50)])
def test_runs_start_at_the_draws_of_the_network(method):
    """These are near the posterior, and draws of the prior are not."""
    of = vip.make_problem(Line(wide=0.01), PRIOR, method)
    fresh = starting_models(of, of.build_algorithm())
    assert np.abs(fresh - MEAN).max() > 2
    of = vip.make_problem(Line(wide=0.01), PRIOR, method.model_copy(update={"start": "network"}))
    assert_allclose(starting_models(of, of.build_algorithm()), np.tile(MEAN, (50, 1)), atol=0.1)


def test_the_metric_of_the_network_whitens_its_draws_and_stays():
    of = vip.make_problem(Line(wide=2.0), PRIOR, HMC(start="network", metric="network"))
    algorithm = of.build_algorithm()
    state = algorithm.init(starting_models(of, algorithm))
    white = state.burn_in.metric.whiten(of.proposal.sample(4000, np.random.default_rng(8)))
    assert_allclose(np.cov(white.T), np.eye(D), atol=0.15)
    after = algorithm.burn_in.adapted(state.burn_in, state.ensemble)
    assert_array_equal(after.metric.stretch, state.burn_in.metric.stretch)


@pytest.mark.parametrize("method", [HMC(start="network"), HMC(metric="network"), SVGD(metric="network")])
def test_a_forward_that_proposes_nothing_is_told_before_the_run(method):
    other = vip.make_problem(lambda models: (-0.5 * (models**2).sum(axis=1), -models), PRIOR, method)
    with pytest.raises(ConfigError, match="has no network that proposes a posterior"):
        vip.run(other)


def test_what_a_proposal_is_told_of_the_prior():
    space = ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(2.0)}), Variable("log_noise", "1")))
    whole = Uniform(np.array([1.0, 1.0, 0.0]), np.array([2.0, 3.0, 0.5]))
    told = facts(whole, space)
    assert told["v"].kind == "uniform"
    assert_array_equal(told["v"].upper, [2.0, 3.0])
    assert_array_equal(told["log_noise"].upper, [0.5])
    full = Joint(
        [Gaussian.full(np.zeros(2), np.array([[1.0, 0.5], [0.5, 1.0]])), Gaussian.diagonal(np.ones(1), np.full(1, 2.0))]
    )
    told = facts(full, space)
    assert told["v"].kind == "other"
    assert (told["log_noise"].kind, told["log_noise"].mean[0], told["log_noise"].sd[0]) == ("gaussian", 1.0, 2.0)
