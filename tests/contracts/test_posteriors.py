"""Algorithms against posteriors known in closed form: means, standard deviations and correlations.

Monte Carlo errors are those of the time series itself: a statistic is averaged over the particles of each iteration, which
takes their common noise into account, and its error is its standard deviation over the root of its effective sample size.
"""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.linalg
from arviz_stats.base import array_stats
from numpy.testing import assert_allclose
from scipy import stats
from threadpoolctl import threadpool_limits

from vip import runner
from vip.algorithms import ADVI, SSVGD, SVGD
from vip.algorithms.optimizers import Adam, Schedule
from vip.algorithms.ssvgd import SSVGDState
from vip.algorithms.stein_kernels import METRICS, RBF, drift
from vip.dispatch.serial import Serial
from vip.posterior import Posterior
from vip.priors import Gaussian, Uniform
from vip.protocols import ModelSpace, Variable
from vip.rng import Purpose, stream
from vip.transforms import Logit

Z = 4.5
"""Largest error in standard errors: passed by chance at most once in 10^5 statistics; seeds are fixed."""


class Target(NamedTuple):
    """A Gaussian."""

    mean: np.ndarray
    covariance: np.ndarray

    def __call__(self, theta):
        centred = theta - self.mean
        pull = np.linalg.solve(self.covariance, centred.T).T
        return -0.5 * (centred * pull).sum(axis=1), -pull

    @property
    def sd(self):
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self):
        return self.covariance / np.outer(self.sd, self.sd)

    @property
    def largest_precision(self):
        return np.linalg.eigvalsh(np.linalg.inv(self.covariance)).max()


def asymmetric(d=4):
    """Different means, scales, and correlations of both signs, so that no swap of entries or of signs goes unseen."""
    correlation = np.array([[1, 0.7, -0.4, 0.2], [0.7, 1, -0.1, 0.3], [-0.4, -0.1, 1, -0.5], [0.2, 0.3, -0.5, 1]])
    mean, sd = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.5, 1.0, 1.4, 0.7])
    return Target(mean[:d], (correlation * np.outer(sd, sd))[:d, :d])


class Memory:
    """A recorder for `runner.run` that keeps all in memory."""

    def __init__(self):
        self.iterations, self.models, self.status = [], [], None

    def append(self, iteration, models):
        self.iterations.append(iteration)
        self.models.append(models)

    def commit(self, iteration, status, state):
        self.status = status

    def log_metrics(self, iteration, info, seconds):
        pass

    def save_failed(self, iteration, models):
        raise AssertionError("no particle fails here")


def run(algorithm, log_density, theta0, schedule, to_model=lambda theta: theta, seed=1):
    """Models (kept, n, d)."""
    memory = Memory()
    status = runner.run(algorithm, log_density, to_model, algorithm.init(theta0), 0, schedule, seed, memory)
    assert status == memory.status == "finished"
    return np.array(memory.models)


def z_scores(statistics, truth, bias=0.0, smallest_ess=200):
    """Errors of time series (kept, n, m) in standard errors, less what `bias` explains."""
    series = statistics.mean(axis=1).T
    ess = array_stats.ess(series[:, None], chain_axis=1, draw_axis=2, method="mean")
    assert ess.min() > smallest_ess, "the chain is too short to tell anything"
    error = np.abs(series.mean(axis=1) - truth) - bias
    return np.maximum(error, 0) / (series.std(axis=1) / np.sqrt(ess))


def second_moments(standardised):
    """Products (..., d (d + 1) / 2) of standardised entries: their expectations are ones and correlations."""
    row, column = np.triu_indices(standardised.shape[-1])
    return standardised[..., row] * standardised[..., column]


def check_gaussian(samples, target, bias=0.0):
    """Means, variances and correlations, in units of the standard deviations."""
    u = (samples - target.mean) / target.sd
    truth = target.correlation[np.triu_indices(len(target.mean))]
    z = np.concatenate([z_scores(u, 0.0), z_scores(second_moments(u), truth, bias)])
    assert z.max() < Z
    return z


@pytest.mark.parametrize("metric", [None, "variance", "gradient"])
@pytest.mark.parametrize("bandwidth", [None, 1.0])
def test_ssvgd_samples_a_gaussian(metric, bandwidth):
    target, n = asymmetric(), 10
    rng = stream(3, 0, Purpose.START)
    theta0 = target.mean + 2 * rng.standard_normal((n, 4))
    step = 0.1
    algorithm = SSVGD(n, Schedule(step), RBF(bandwidth), 2000, METRICS.get(metric))
    samples = run(algorithm, target, theta0, runner.Schedule(30_000, burn_in=2000, thin=2))
    z = check_gaussian(samples, target)
    print(z.round(2))
