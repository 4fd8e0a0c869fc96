"""The log-posterior: whitened coordinates, failures, and estimates from a few data blocks."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.dispatch.serial import Serial
from vip.errors import ForwardError
from vip.inference.posterior import Estimated, Posterior
from vip.inference.priors import Gaussian, Joint, Uniform
from vip.inference.transforms import Clip, Logit, Whitened
from vip.protocols import Evaluation, Variable

GRID = Variable("v", "km/s", ("y", "x"), {"y": np.arange(4.0), "x": np.arange(3.0)})
GAUSSIANS = {
    "diagonal": Gaussian.diagonal(np.arange(12.0), np.linspace(0.5, 2, 12)),
    "smooth": Gaussian.smooth(np.full(12, 3.0), 0.4, 2.0, GRID),
    "product": Gaussian.smooth(np.full(12, 3.0), 0.4, 2.0, GRID).times(Gaussian.diagonal(np.full(12, 2.0), np.full(12, 0.3))),
}


class Quadratic:
    """Log-likelihood ``-|m - 1|^2 / 2``."""

    def __call__(self, models):
        return -0.5 * ((models - 1) ** 2).sum(axis=1), 1 - models


def posteriors(gaussian, bounds=Logit):
    """The same one, in coordinates of the model and whitened: two bounded entries, then a Gaussian field."""
    prior = Joint([Uniform(np.zeros(2), np.ones(2)), gaussian])
    plain = bounds(prior.lower, prior.upper)
    whitened = Whitened(plain, [(slice(2, 14), gaussian)])
    return [Posterior(prior, transform, Serial(Quadratic())) for transform in (plain, whitened)]


@pytest.mark.parametrize("gaussian", GAUSSIANS.values(), ids=GAUSSIANS)
def test_whitened_theta_is_white(gaussian):
    """Its models have the prior's covariance: L L^T Q = 1."""
    L = (gaussian.coloured(np.eye(12)) - gaussian.mean).T
    assert_allclose(L @ L.T @ gaussian.precision.toarray(), np.eye(12), atol=1e-9)
    assert_allclose(gaussian.whitened(gaussian.coloured(L)), L, atol=1e-9)
    assert gaussian.log_volume == pytest.approx(np.linalg.slogdet(L)[1])


@pytest.mark.parametrize("gaussian", GAUSSIANS.values(), ids=GAUSSIANS)
def test_whitening_is_a_change_of_coordinates(gaussian):
    """Densities differ by the Jacobian, gradients by the chain rule."""
    plain, whitened = posteriors(gaussian)
    models = plain.prior.sample(5, np.random.default_rng(1))
    a, b = plain.transform.to_theta(models), whitened.transform.to_theta(models)
    assert_allclose(whitened.transform.to_model(b), models, rtol=1e-9)
    assert_allclose(whitened(b)[0] - plain(a)[0], gaussian.log_volume, rtol=1e-8)
    assert_allclose(whitened.log_prior(b)[1][:, 2:], -b[:, 2:], atol=1e-8)
    for posterior, theta in ((plain, a), (whitened, b)):
        gradient = np.random.default_rng(3).standard_normal(theta.shape)
        pulled = posterior.transform.pull(theta, gradient)
        assert_allclose(posterior.transform.push(theta, pulled), gradient, rtol=1e-8, atol=1e-9)
    direction = np.random.default_rng(2).standard_normal(14)
    step = 1e-5 * direction
    difference = (whitened(b + step)[0] - whitened(b - step)[0]) / 2e-5
    assert_allclose(whitened(b)[1] @ direction, difference, rtol=1e-6)


def test_whitening_leaves_what_it_is_given_alone():
    """Hard bounds hand arrays through: writing into them would change the particles."""
    _, whitened = posteriors(GAUSSIANS["smooth"], Clip)
    theta = np.full((2, 14), 0.5)
    before = theta.copy()
    whitened(theta)
    whitened.transform.to_theta(theta)
    assert_allclose(theta, before)
    assert_allclose(whitened.transform.project(np.full((1, 14), 9.0))[:, :2], 1.0)


class Blocks:
    """A forward of ten blocks whose gradients differ."""

    offsets = np.random.default_rng(3).standard_normal((10, 14)) * 5

    def evaluate(self, models, blocks=None, observed=None):
        chosen = self.offsets[list(blocks) if blocks is not None else slice(None)]
        gradient = 10 * chosen.mean(axis=0) + 0 * models
        return Evaluation((models @ chosen.mean(axis=0)) * 10, gradient, 0.0, {})


def test_noise_of_an_estimate_has_the_variance_of_the_estimate():
    """Over all ways to draw four of ten blocks: the mean is the whole, the mean square of the noise its variance."""
    plain, _ = posteriors(GAUSSIANS["smooth"])
    whole = Posterior(plain.prior, plain.transform, Blocks())
    theta = plain.transform.to_theta(plain.prior.sample(1, np.random.default_rng(4)))
    expected = whole(theta)[1]
    gradients, noises = [], []
    rng = np.random.default_rng(5)
    for drawn in itertools.combinations(range(10), 4):
        for _ in range(3):  # every way to halve four blocks, but for its sign, is as likely
            estimate = Estimated(whole, rng.permutation(drawn).tolist(), 10)
            found = estimate(theta)
            gradients.append(found.gradient)
            noises.append(found.noise)
    assert_allclose(np.mean(gradients, axis=0), expected, rtol=1e-9)
    assert_allclose(np.mean(np.square(noises), axis=0), np.var(gradients, axis=0), rtol=0.15)
    assert np.abs(np.mean(noises, axis=0)).max() < 0.2 * np.std(noises, axis=0).max()


def test_of_an_odd_number_of_blocks_the_noise_is_not_known():
    plain, _ = posteriors(GAUSSIANS["smooth"])
    estimate = Estimated(Posterior(plain.prior, plain.transform, Blocks()), [1, 5, 7], 10)
    assert estimate(np.zeros((2, 14))).noise.size == 0


class Fails:
    """Evaluates what is below one half."""

    def __call__(self, models):
        if (models[:, 0] > 0.5).any():
            raise ValueError("too large")
        return Quadratic()(models)


@pytest.mark.parametrize("on_failure", ["raise", "hold", "reject"])
def test_what_becomes_of_failures(on_failure):
    plain, _ = posteriors(GAUSSIANS["diagonal"])
    posterior = Posterior(plain.prior, plain.transform, Serial(Fails()), on_failure=on_failure)
    theta = np.zeros((3, 14))
    theta[:, 0] = [-1.0, 1.0, -2.0]
    if on_failure == "raise":
        with pytest.raises(ForwardError, match="particle 1: ValueError: too large"):
            posterior(theta)
        return
    value, gradient, _, failures, log_likelihood = posterior(theta)
    assert failures == {1: "ValueError: too large"}
    assert np.isnan(log_likelihood).tolist() == [False, True, False]
    assert_allclose(gradient[1], 0)
    whole = plain(theta)
    assert_allclose(value[[0, 2]], whole[0][[0, 2]])
    assert value[1] == (-np.inf if on_failure == "reject" else pytest.approx(value[[0, 2]].mean()))
    everything = theta + np.r_[5.0, np.zeros(13)]
    if on_failure == "reject":
        assert np.all(posterior(everything)[0] == -np.inf)
    else:
        with pytest.raises(ForwardError):
            posterior(everything)
