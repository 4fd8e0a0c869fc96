"""The network that comes with the package: it needs no torch, is small, and beats straight rays on surveys it has not seen."""

import subprocess
import sys

import numpy as np
import pytest

from vip.forward.tomo2d.amortised.examples import draw_examples
from vip.forward.tomo2d.amortised.graph import linear_posterior, mean_slowness, plan, straight_rays
from vip.forward.tomo2d.amortised.inference import SHIPPED, Network, NoisePrior
from vip.forward.tomo2d.amortised.posterior import Mixture
from vip.forward.tomo2d.amortised.settings import SurveySettings

YARDSTICK = SurveySettings(
    nodes=(11, 11), stations=(16, 16), kept=(1, 1), fill=(1, 1), sigma=(0.02, 0.02), uneven=0, ratio=(2.2, 2.2), white=1
)

WITHOUT_TORCH = """
import sys
import numpy as np
from vip.forward.tomo2d.amortised.graph import Prior
from vip.forward.tomo2d.amortised.inference import Network
from vip.kernels_c.eikonal2d import Grid
stations = np.random.default_rng(1).uniform(0, 70, (6, 2))
paths = np.stack(np.triu_indices(6, 1), axis=1)
grid = Grid((8, 8), (0.0, 0.0), (10.0, 10.0), False)
p = Network.load().posterior_of_paths(grid, Prior(2.0, 4.0), stations, paths, np.full(15, 3.0), 0.02)
print(p.mean.shape, bool(np.isfinite(p.log_density(p.sample(5, np.random.default_rng(2)))).all()), p.warnings, "torch" in sys.modules)
"""


def straight(one, i):
    """Closed form for straight rays, with the best factors on their times and on sigma."""
    lengths = straight_rays(plan(one.survey))
    mean, slope, variance = mean_slowness(one.survey.prior)
    noise = (2.5 * one.sigma[i]) ** 2 + (lengths**2).sum(axis=1) * variance
    late = one.times[i] - 0.94 * lengths.sum(axis=1) * mean
    found, covariance = linear_posterior(lengths * slope, late, noise, np.eye(lengths.shape[1]))
    return Mixture(one.survey.prior, np.zeros(1), found[None], np.linalg.inv(covariance)[None])


def test_it_is_small_and_tells_where_it_came_from():
    about = Network.load().about
    assert SHIPPED.stat().st_size < 5e6
    assert about["kind"] == "rays"
    assert about["steps_done"] > 0
    assert {"surveys", "training", "curve", "commit", "version", "first_data", "misfit_limit"} <= about.keys()


def test_it_needs_no_torch():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.stdout == "(64,) True [] False\n", done.stderr


def test_it_beats_straight_rays():
    """By far, at the true models of surveys that it has not seen: 50 nats over the prior, against 26."""
    network, ours, theirs = Network.load(), [], []
    for seed in range(3):
        one = draw_examples(YARDSTICK, 4, 5, np.random.default_rng([seed, 2]))
        for i in range(4):
            truth = one.survey.prior.velocity(one.z[i])[None]
            ours.append(network.map(one.survey, one.times[i], one.sigma[i])[0].log_density(truth)[0])
            theirs.append(straight(one, i).log_density(truth)[0])
    assert np.mean(ours) > np.mean(theirs) + 15


def test_cells_are_covered_as_often_as_told():
    """Of the cells of twelve maps, which are not independent, 90 % lie where they should."""
    network, inside = Network.load(), []
    rng = np.random.default_rng(3)
    for seed in range(3):
        one = draw_examples(YARDSTICK, 4, 5, np.random.default_rng([seed, 4]))
        for i in range(4):
            draws = network.map(one.survey, one.times[i], one.sigma[i])[0].sample(400, rng)
            rank = (draws < one.survey.prior.velocity(one.z[i])).mean(axis=0)
            inside.append(np.mean(abs(rank - 0.5) < 0.45))
    assert np.mean(inside) == pytest.approx(0.9, abs=0.03)


def test_a_wrong_sigma_is_noticed_and_an_unknown_one_found():
    one = draw_examples(YARDSTICK, 3, 5, np.random.default_rng(5))
    network = Network.load()
    for i in range(3):
        assert network.map(one.survey, one.times[i], one.sigma[i])[1] == []
        assert any("misfit" in text for text in network.map(one.survey, one.times[i], one.sigma[i] / 2)[1])
        mean, sd = (x[-1] for x in network.map(one.survey, one.times[i], one.sigma[i] / 2, NoisePrior())[0].moments())
        assert abs(mean - np.log(2)) < 3 * sd
        assert sd < 0.25
