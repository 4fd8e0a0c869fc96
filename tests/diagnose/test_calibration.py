"""Calibration finds a sampler that is right calibrated, and one that is not so."""

import json
from typing import NamedTuple

import numpy as np
import pytest

import vip
from vip.diagnose import calibration
from vip.diagnose.calibration import Calibration, calibrate
from vip.errors import ConfigError, StoreError
from vip.inference import loop as runner
from vip.protocols import Info
from vip.runs import inversion

LINEAR = '''
import copy
import numpy as np
from vip.protocols import ModelSpace, Variable

class Linear:
    """Data A m with Gaussian errors."""

    def __init__(self, sigma=0.5, noise=False):
        self.space = ModelSpace((Variable("m", "1", ("x",), {"x": np.arange(3.0)}),))
        self.ndim = 3
        self.A = np.random.default_rng(0).standard_normal((5, 3))
        self.sigma, self.observed = np.full(5, sigma), np.zeros(5)
        self.unknown_noise = noise

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls(**settings)

    def simulate(self, models):
        return models @ self.A.T

    def with_observed(self, data):
        other = copy.copy(self)
        other.observed = data
        return other

    def __call__(self, models):
        residual = (self.observed - self.simulate(models)) / self.sigma
        return -0.5 * np.sum(residual**2, axis=1), (residual / self.sigma) @ self.A
'''
CONFIG = """
seed = 4
[forward]
plugin = "./linear.py:Linear"
[prior.m]
kind = "gaussian"
mean = 1.0
sd = 2.0
[algorithm]
name = "mala"
particles = 4
iterations = 60
burn_in = 20
"""


class State(NamedTuple):
    iteration: int


class Exact:
    """Draws of the conjugate posterior, with its standard deviation times a factor."""

    n_particles = n_evaluated = 1
    is_chain = rejects = False

    def __init__(self, problem, factor):
        forward = problem.forward
        precision = forward.A.T @ forward.A / forward.sigma[0] ** 2 + np.eye(3) / 4
        self.mean = np.linalg.solve(precision, forward.A.T @ forward.observed / forward.sigma[0] ** 2 + np.ones(3) / 4)
        self.covariance = factor**2 * np.linalg.inv(precision)

    def init(self, theta0):
        return State(0)

    def step(self, state, log_density, rng):
        return State(1), Info(0.0, 0.0)

    def draw(self, state, n, rng):
        return rng.multivariate_normal(self.mean, self.covariance, 63)


@pytest.fixture
def problem(tmp_path):
    (tmp_path / "linear.py").write_text(LINEAR)
    (tmp_path / "linear.toml").write_text(CONFIG)
    return vip.load_problem(tmp_path / "linear.toml")


def sampling(monkeypatch, factor):
    """Let calibration run the exact sampler, for one iteration."""
    monkeypatch.setattr(vip.Problem, "build_algorithm", lambda problem: Exact(problem, factor))
    schedule = runner.Schedule(1)
    monkeypatch.setattr(inversion, "loop_schedule", lambda problem: schedule)


def test_a_right_sampler_is_calibrated(problem, tmp_path, monkeypatch):
    sampling(monkeypatch, 1.0)
    found = calibrate(problem, 200, tmp_path / "out")
    assert list(found.ranks) == ["m[0]", "m[1]", "m[2]", "log-likelihood"]
    assert not found.faults, str(found)
    assert str(found).startswith("calibrated")
    assert min(found.p_value(name) for name in found.ranks) > 0.0025


@pytest.mark.parametrize(("factor", "fault"), [(0.7, "too narrow"), (1.5, "too wide")])
def test_a_wrong_spread_is_found(problem, tmp_path, monkeypatch, factor, fault):
    sampling(monkeypatch, factor)
    found = calibrate(problem, 200, tmp_path / "out")
    assert str(found).startswith("not calibrated")
    assert set(found.parameters) & set(found.faults)
    assert all(fault in found.faults[name] for name in set(found.parameters) & set(found.faults))


def test_bias_is_told_from_spread():
    """Truths above all samples."""
    ranks = {"m": np.random.default_rng(0).integers(32, 64, 100)}
    assert Calibration(ranks, 64).faults == {"m": "the samples are too low"}


def test_what_is_done_is_not_done_again(problem, tmp_path, monkeypatch):
    """A calibration that is stopped, whose last line was cut off, goes on and ends as one that was not."""
    whole = calibrate(problem, 12, tmp_path / "whole")
    done = []
    assert calibrate(problem, 12, tmp_path / "out", done.append, stop=lambda: len(done) >= 5) is None
    assert done == [1, 2, 3, 4, 5]
    with (tmp_path / "out" / "ranks.jsonl").open("a") as file:
        file.write('{"m[0]": 1')
    found = calibrate(problem, 12, tmp_path / "out", done.append)
    assert done == list(range(1, 13))
    for name, ranks in whole.ranks.items():
        np.testing.assert_array_equal(found.ranks[name], ranks)
    assert len({json.dumps(line) for line in (tmp_path / "out" / "ranks.jsonl").read_text().splitlines()}) == 12
    monkeypatch.setattr(calibration, "replicate_ranks", None)
    calibrate(problem, 12, tmp_path / "out")


def test_replicates_of_another_configuration_are_refused(problem, tmp_path):
    calibrate(problem, 1, tmp_path / "out")
    problem.path.write_text(CONFIG.replace("sd = 2.0", "sd = 3.0"))
    with pytest.raises(StoreError, match="another configuration"):
        calibrate(vip.load_problem(problem.path), 1, tmp_path / "out")
    with pytest.raises(StoreError, match="not empty"):
        calibrate(problem, 1, tmp_path)


def test_a_forward_whose_data_cannot_be_replaced_is_refused(problem, tmp_path):
    source = (tmp_path / "linear.py").read_text()
    (tmp_path / "linear.py").write_text(source.replace("with_observed", "with_other"))
    with pytest.raises(ConfigError, match="with_observed"):
        calibrate(vip.load_problem(problem.path), 1, tmp_path / "out")
    (tmp_path / "linear.py").write_text(source.replace("noise=False", "noise=True"))
    with pytest.raises(ConfigError, match="unknown_noise"):
        calibrate(vip.load_problem(problem.path), 1, tmp_path / "out")


def test_tomography_takes_other_data(tmp_path):
    from vip.forward.tomo2d.synthetic import write_example

    forward = vip.load_problem(write_example(tmp_path, seed=1)).forward
    other = forward.with_observed(forward.observed + 1)
    np.testing.assert_array_equal(other.observed, forward.observed + 1)
    np.testing.assert_array_equal(other.sigma, forward.sigma)
    model = forward.true_model[None]
    np.testing.assert_array_equal(other.simulate(model), forward.simulate(model))
    values = [f(model)[0][0] for f in (forward, other)]
    residual = forward.observed - forward.simulate(model)[0]
    expected = -0.5 * np.sum(((residual + 1) ** 2 - residual**2) / forward.sigma**2)
    assert values[1] - values[0] == pytest.approx(expected, rel=1e-3)
