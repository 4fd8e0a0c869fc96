"""Likelihoods against dense covariances, numerical integration and differences."""

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import toeplitz

from vip.forward.waveform.likelihood import Gaussian, Marginal, StudentT
from vip.forward.waveform.noise import Whitener, levinson, white

SAMPLES = 30
RNG = np.random.default_rng(5)
OBSERVED = RNG.standard_normal((2, SAMPLES))
PARTS = RNG.standard_normal((3, 2, 2, SAMPLES))
LOG_NOISE = RNG.uniform(-0.3, 0.3, (3, 2))
PROCESSES = [levinson(np.array([1.5, 0.7])), white(0.8)]
WHITENER = Whitener(PROCESSES, SAMPLES)
COVARIANCES = [toeplitz(1.5 * (0.7 / 1.5) ** np.arange(SAMPLES)), 0.64 * np.eye(SAMPLES)]
ALL = {
    "gaussian": (Gaussian(OBSERVED, WHITENER), 1),
    "student-t": (StudentT(OBSERVED, WHITENER, 4.0), 1),
    "marginal": (Marginal(OBSERVED, WHITENER), 2),
}


def test_gaussian_is_that_of_the_covariance():
    found = ALL["gaussian"][0](PARTS[:, :, :1], LOG_NOISE).value
    for i in range(3):
        wanted = sum(
            stats.multivariate_normal(PARTS[i, c, 0], np.exp(2 * LOG_NOISE[i, c]) * COVARIANCES[c]).logpdf(OBSERVED[c])
            for c in range(2)
        )
        assert found[i] == pytest.approx(wanted, abs=1e-8)


def test_student_t_with_white_noise():
    only = StudentT(OBSERVED, Whitener([white(0.7), white(0.8)], SAMPLES), 4.0)
    found = only(PARTS[:, :, :1], LOG_NOISE).value
    scale = np.array([0.7, 0.8])[:, None] * np.exp(LOG_NOISE)[:, :, None]
    wanted = stats.t(4.0, PARTS[:, :, 0], scale).logpdf(OBSERVED).sum(axis=(1, 2))
    np.testing.assert_allclose(found, wanted)


def test_marginal_is_the_integral():
    """The integral over two factors with a standard normal prior, by quadrature around their posterior."""
    likelihood, gaussian = ALL["marginal"][0], ALL["gaussian"][0]
    found = likelihood(PARTS, LOG_NOISE).value
    means, covariances = likelihood.factors(PARTS, LOG_NOISE)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    for i in range(3):
        root = 2 * np.linalg.cholesky(covariances[i])  # wider than the posterior: the rule does not know the answer
        z = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
        factors = means[i] + z @ root.T
        predicted = np.einsum("mb,cbs->mcs", factors, PARTS[i])[:, :, None]
        values = gaussian(predicted, np.tile(LOG_NOISE[i], (len(z), 1))).value + stats.norm.logpdf(factors).sum(axis=1)
        proposal = -0.5 * (z**2).sum(axis=1)
        both = np.outer(weights, weights).ravel()
        integral = np.log((both * np.exp(values - proposal - values.max())).sum()) + values.max() + np.log(np.linalg.det(root))
        assert found[i] == pytest.approx(integral, abs=1e-6)


def test_factors_are_the_posterior():
    """Mean and covariance of the factors against Bayes' rule with dense matrices."""
    means, covariances = ALL["marginal"][0].factors(PARTS, LOG_NOISE)
    for i in range(3):
        precision, h = np.eye(2), np.zeros(2)
        for c in range(2):
            inverse = np.linalg.inv(np.exp(2 * LOG_NOISE[i, c]) * COVARIANCES[c])
            precision += PARTS[i, c] @ inverse @ PARTS[i, c].T
            h += PARTS[i, c] @ inverse @ OBSERVED[c]
        np.testing.assert_allclose(covariances[i], np.linalg.inv(precision), rtol=1e-9)
        np.testing.assert_allclose(means[i], np.linalg.solve(precision, h), rtol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_derivatives(name):
    likelihood, parts = ALL[name]
    traces, step = PARTS[:, :, :parts], 1e-6
    found = likelihood(traces, LOG_NOISE)
    direction = RNG.standard_normal(traces.shape)
    difference = (
        likelihood(traces + step * direction, LOG_NOISE).value - likelihood(traces - step * direction, LOG_NOISE).value
    ) / (2 * step)
    np.testing.assert_allclose((found.by_traces * direction).sum(axis=(1, 2, 3)), difference, rtol=1e-6)
    for c in range(2):
        move = step * np.eye(2)[c]
        difference = (likelihood(traces, LOG_NOISE + move).value - likelihood(traces, LOG_NOISE - move).value) / (2 * step)
        np.testing.assert_allclose(found.by_log_noise[:, c], difference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_single_precision_keeps_differences(name):
    """With a signal a hundred times the noise, log-likelihoods of single precision are still good to a tenth."""
    parts = ALL[name][1]
    signal = 100 * np.sin(np.arange(2 * SAMPLES)).reshape(2, SAMPLES)
    traces = (
        np.concatenate([(signal + 0.1 * OBSERVED)[None, :, None], PARTS[:1, :, 1:parts]], axis=2)
        if parts > 1
        else (signal + 0.1 * OBSERVED)[None, :, None]
    )
    kinds = {"gaussian": Gaussian, "student-t": lambda d, w: StudentT(d, w, 4.0), "marginal": Marginal}
    exact, single = (
        kinds[name]((signal + OBSERVED).astype(kind), WHITENER)(traces.astype(kind), LOG_NOISE[:1]).value
        for kind in (float, np.float32)
    )
    assert abs(exact - single) < 0.1
