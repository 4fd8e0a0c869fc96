"""Nested sampling from a configuration to its verdict: killed and resumed, on another engine, cut short, and refused."""

import multiprocessing

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

import vip
from vip.config import DispatchSettings
from vip.diagnose.verdict import judge_live_points, verdict
from vip.errors import ConfigError
from vip.runs.status import run_status
from vip.runs.store import Store

FORWARD = """
import os, signal
from pathlib import Path
import numpy as np
from vip.protocols import ModelSpace, Variable

class Normal:
    space = ModelSpace((Variable("x", "1", ("i",), {"i": np.arange(2.0)}),))

    @classmethod
    def from_settings(cls, settings, base_dir):
        forward = cls()
        forward.includes_prior = settings.get("includes_prior", False)
        forward.folder = base_dir
        return forward

    def start(self, n, rng):
        return np.full((n, 2), 100.0)

    def __call__(self, models):
        kill = self.folder / "kill"
        if kill.is_file() and len(list(self.folder.glob("killed/samples"))) and self.ready():
            kill.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        fails = models[:, :1] > 2.5
        value = -0.5 * np.sum((models - 1) ** 2, axis=1)
        return np.where(fails[:, 0], np.nan, value), np.where(fails, 0, 1 - models)

    def ready(self):
        metrics = self.folder / "killed" / "metrics.jsonl"
        return metrics.is_file() and metrics.read_text().count("\\n") > 60
"""
CONFIG = """
seed = 3
[forward]
plugin = "./normal.py:Normal"
{forward}
[prior.x]
kind = "gaussian"
mean = 0.0
sd = 2.0
[run]
on_failure = "{on_failure}"
checkpoint_seconds = 0.02
[algorithm]
name = "nested"
particles = 300
{more}
"""


@pytest.fixture
def configured(tmp_path):
    """A function that writes a configuration, with more of its keys."""
    (tmp_path / "normal.py").write_text(FORWARD)

    def write(more="", forward="", on_failure="hold"):
        (tmp_path / "problem.toml").write_text(CONFIG.format(more=more, forward=forward, on_failure=on_failure))
        return tmp_path / "problem.toml"

    return write


def expected():
    """Log-evidence of a Gaussian that cannot be evaluated where its first parameter is above 2.5."""
    sd = np.sqrt(0.8)
    return np.log(2 * np.pi) + 2 * stats.norm(0, np.sqrt(5)).logpdf(1) + stats.norm(0.8, sd).logcdf(2.5)


def run_it(config, output):
    vip.run(vip.load_problem(config), output)


def test_a_killed_run_ends_as_if_nothing_had_happened(configured, tmp_path):
    """From draws of the prior, even where the forward knows where to start; failures are models of no likelihood."""
    config = configured()
    whole = vip.run(vip.load_problem(config), tmp_path / "whole")
    found, error = whole.log_evidence
    assert abs(found - expected()) < 3.5 * error
    assert whole.verdict == "converged: no diagnostic finds a fault"
    assert whole.is_weighted
    assert whole.flat[whole.weights > 1e-12][:, 0].max() <= 2.5
    assert "% left" in run_status(whole.store)["evidence"]
    (tmp_path / "kill").touch()
    process = multiprocessing.get_context("fork").Process(target=run_it, args=(config, tmp_path / "killed"))
    process.start()
    process.join()
    assert process.exitcode == -9
    assert run_status(Store(tmp_path / "killed"))["status"].startswith("killed")
    resumed = vip.resume(tmp_path / "killed")
    assert_array_equal(resumed.models, whole.models)
    assert_array_equal(resumed.weights, whole.weights)
    assert resumed.log_evidence == whole.log_evidence


def test_workers_make_no_difference(configured, tmp_path):
    config = configured("iterations = 60")
    here = vip.run(vip.load_problem(config), tmp_path / "here", dispatch=DispatchSettings(kind="serial"))
    there = vip.run(vip.load_problem(config), tmp_path / "there", dispatch=DispatchSettings(kind="local", workers=2))
    assert_array_equal(there.models, here.models)
    assert_array_equal(there.weights, here.weights)


def test_a_run_cut_short_says_so_and_goes_on(configured, tmp_path):
    config = configured("iterations = 60")
    short = vip.run(vip.load_problem(config), tmp_path / "short")
    assert short.verdict.startswith("not converged: the live points hold at most")
    assert "--iterations 120" in short.verdict
    assert np.isnan(short.log_evidence).all()
    longer = vip.resume(tmp_path / "short", iterations=20_000)
    assert longer.verdict.startswith("converged")
    whole = vip.run(vip.load_problem(configured()), tmp_path / "whole")
    assert_array_equal(longer.models, whole.models)


@pytest.mark.parametrize(
    ("name", "numbers", "fault"), [("ranks", (0.005, -5.0, 0.1), "evidence biased"), ("walks", (0.005, 1, 0.8), "walks")]
)
def test_what_is_wrong_is_said(name, numbers, fault):
    assert verdict(judge_live_points(*numbers)).startswith(fault)
    assert not any(diagnosis.fault for diagnosis in judge_live_points(0.005, 1.0, 0.3))


@pytest.mark.parametrize(
    ("more", "forward", "message"),
    [
        ("batch = 101", "", "batch: 101: must not be larger than a third of particles, which is 300"),
        ("batch = 100\nmoves = 0", "", "moves"),
        ("data_blocks = 2", "", "whole log-posteriors"),
        ("", "includes_prior = true", "likelihood and prior apart"),
    ],
)
def test_settings_that_cannot_be(configured, more, forward, message):
    with pytest.raises(ConfigError, match=message):
        vip.load_problem(configured(more, forward)).build_algorithm()


def test_too_few_particles_for_the_parameters():
    prior = vip.priors.Gaussian.diagonal(np.zeros(30), np.ones(30))
    with pytest.raises(ConfigError, match=r"must be more than 50: the 30 parameters and twice the batch of 10"):
        vip.make_problem(lambda x: -(x**2).sum(axis=-1), prior, vip.methods.Nested(particles=40)).build_algorithm()
