"""Full-waveform inversion from its configuration to its samples."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import vip
from vip.errors import ConfigError, ForwardError
from vip.report import write_report

EXAMPLES = Path(__file__).parents[2] / "examples" / "marmousi"

CONFIG = """
seed = 3
[forward]
plugin = "fwi2d"
shots = { depth = 10, first = 20, step = 50, number = 4 }
receivers = { depth = 20, first = 0, step = 20, number = 9 }
relative_sigma = 0.01
velocity_range = [1500, 2600]
[forward.synthetic]
model = "true.npy"
[forward.grid]
shape = [12, 18]
spacing = 10
layer = 6
[forward.time]
dt = 0.002
samples = 120
[forward.wavelet]
frequency = 18
[forward.known]
depth = 20
velocity = 1500
[prior.velocity]
kind = "uniform"
lower = 1600
upper = 2500
[dispatch]
threads = 2
[run]
checkpoint_seconds = 1000
[algorithm]
name = "ssvgd"
particles = 5
metric = "gradient"
step_size = 0.5
"""


@pytest.fixture
def config(tmp_path):
    depth = np.arange(12)[:, None]
    np.save(tmp_path / "true.npy", np.broadcast_to(np.where(depth < 2, 1500, np.where(depth < 7, 1850, 2250)), (12, 18)))
    file = tmp_path / "fwi.toml"
    file.write_text(CONFIG + "iterations = 12\nburn_in = 4\nwarm_up = 2\nthin = 2\ndata_blocks = 2\n")
    return file


def test_a_run_on_a_few_shots_goes_on_as_if_it_had_not_stopped(config):
    """Which shots an iteration uses depends on the seed and the iteration alone, also after an interruption."""
    problem = vip.load_problem(config)
    whole = vip.run(problem, config.parent / "whole")
    calls = iter([False] * 5 + [True])
    vip.run(problem, config.parent / "parts", stop=lambda: next(calls))
    parts = vip.resume(config.parent / "parts")
    assert_array_equal(whole.models, parts.models)
    metrics = [[m["log_likelihood"] for m in result.store.metrics()] for result in (whole, parts)]
    assert metrics[0] == metrics[1]
    assert len(metrics[0]) == 12


def test_an_iteration_uses_some_shots_and_the_next_one_others(config):
    problem = vip.load_problem(config)
    used = []
    evaluate = problem.forward._shot

    def spy(velocity, shot, log_scale):
        used.append(shot)
        return evaluate(velocity, shot, log_scale)

    problem.forward._shot = spy
    vip.run(problem, config.parent / "run")
    by_iteration = [frozenset(used[i : i + 10]) for i in range(0, len(used), 10)]
    assert len(by_iteration) == 13  # the first iteration also evaluates where it starts, with the same shots
    assert by_iteration[0] == by_iteration[1]
    assert all(len(shots) == 2 for shots in by_iteration)
    assert set().union(*by_iteration) == {0, 1, 2, 3}
    assert len(set(by_iteration)) > 1


def test_more_blocks_than_shots(config):
    config.write_text(config.read_text().replace("data_blocks = 2", "data_blocks = 5"))
    with pytest.raises(ConfigError, match=r"algorithm\.data_blocks: 5: this forward has 4"):
        vip.load_problem(config)


def test_prior_that_waves_were_not_checked_for(config):
    config.write_text(config.read_text().replace("upper = 2500", "upper = 2700"))
    with pytest.raises(ConfigError, match=r"fwi\.toml: prior\.velocity\.upper: 2700\.0: leaves forward\.velocity_range"):
        vip.load_problem(config)


GAUSSIAN = 'kind = "gaussian"\nmean = 2050\nsd = 180\n'


def test_particle_that_is_unstable_does_not_end_the_run(config):
    """A Gaussian prior reaches velocities that the waves cannot have: such particles are held, counted and kept."""
    text = config.read_text().replace('kind = "uniform"\nlower = 1600\nupper = 2500\n', GAUSSIAN)
    text = text.replace("particles = 5", "particles = 30").replace("warm_up = 2", "warm_up = 4")
    config.write_text(text)
    with pytest.raises(ForwardError, match=r"particle \d+: velocities from .* leave velocity_range"):
        vip.run(vip.load_problem(config), config.parent / "raised")
    config.write_text(text.replace("[run]", '[run]\non_failure = "hold"'))
    result = vip.run(vip.load_problem(config), config.parent / "held")
    assert result.status == "finished"
    failures = [int(m.get("failures", 0)) for m in result.store.metrics()]
    assert 0 < failures[0] < 30
    assert np.isfinite([m["log_likelihood"] for m in result.store.metrics()]).all()
    kept = np.load(config.parent / "held" / "failed_models_0.npy")
    assert ((kept < 1500) | (kept > 2600)).any(axis=1).sum() == failures[0]
    assert "leave velocity_range" in (config.parent / "held" / "run.log").read_text()


def test_inversion_recovers_two_layers(config):
    """From prior samples to models that fit within noise and are near the truth."""
    text = config.read_text().split("iterations")[0]
    config.write_text(text + "iterations = 400\nburn_in = 300\nwarm_up = 250\n")
    problem = vip.load_problem(config)
    result = vip.run(problem, config.parent / "run")
    forward = problem.forward

    def chi2(models):
        return np.mean(((forward.simulate(models) - forward.observed) / forward.sigma) ** 2)

    prior = problem.sample_prior(20, np.random.default_rng(0))
    assert chi2(prior) > 20
    assert chi2(result.flat[::25].astype(float)) < 2
    error = np.abs(result.mean_model - forward.true_model).mean()
    assert error < 0.5 * np.abs(prior.mean(axis=0) - forward.true_model).mean()
    assert "90% interval covers" in write_report(result).read_text()  # without wells


def test_simulate_check_and_report(tmp_path):
    """What `vip simulate` writes is what `vip check` and `vip run` read."""

    def run(*arguments):
        command = [sys.executable, "-c", "from vip.cli.main import main; main()", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    made = run("simulate", "fwi2d", tmp_path / "data")
    assert made.returncode == 0, made.stderr
    file = tmp_path / "data" / "fwi2d.toml"
    file.write_text(
        file.read_text()
        .replace("iterations = 400", "iterations = 4")
        .replace("burn_in = 200", "burn_in = 2")
        .replace("particles = 20", "particles = 2")
        .replace("warm_up = 150", "warm_up = 1")
        .replace("thin = 4", "thin = 1")
    )
    checked = run("check", file)
    assert checked.returncode == 0, checked.stderr
    for words in ("nodes per wavelength", "stability limit", "memory of a shot", "estimated run time", "passed"):
        assert words in checked.stdout
    run_dir = tmp_path / "run"
    assert run("run", file, "--output", run_dir).returncode == 0
    assert run("report", run_dir).returncode == 0
    assert (run_dir / "report" / "index.html").stat().st_size > 100_000


@pytest.mark.parametrize("name", ["ssvgd", "svgd", "short"])
def test_published_set_ups_load(name):
    if not os.environ.get("VIP_DATA_DIR") or not Path(os.environ["VIP_DATA_DIR"], "marmousi_small").is_dir():
        pytest.skip("VIP_DATA_DIR has no marmousi_small")
    problem = vip.load_problem(EXAMPLES / f"{name}.toml")
    rows, columns = problem.space.variables[0].shape
    assert (rows, columns) == ((51, 100) if name == "short" else (102, 200))
    truth = problem.forward.true_model
    inside = (truth >= problem.prior.lower) & (truth <= problem.prior.upper)
    assert inside.mean() > 0.95
