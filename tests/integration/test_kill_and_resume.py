"""A run that is killed at any moment (SIGKILL) and resumed ends as if nothing had happened, to the last bit."""

import itertools
import multiprocessing
import runpy
import signal
import time
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import vip
from vip.errors import ConfigError, StoreError
from vip.runs.inversion import load_run
from vip.runs.result import Result
from vip.runs.status import run_status
from vip.runs.store import Store

FORKS = multiprocessing.get_context("forkserver")  # processes of their own, without paying for imports each time
FORKS.set_forkserver_preload(["vip.runs.inversion", "vip.forward.tomo2d"])

SCRIPT = """
import os, signal
from pathlib import Path

import vip

calls = 0

def deadly(function):
    def wrapped(*arguments, **keywords):
        global calls
        calls += 1
        if calls == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)
    return wrapped

for name in ("fsync", "rename", "replace", "unlink", "rmdir"):
    setattr(os, name, deadly(getattr(os, name)))
if (Path(output) / "provenance.json").is_file() and not overwrite:
    vip.resume(output)
else:
    vip.run(vip.load_problem(config), output, overwrite)
"""

CONFIG = """
seed = 5

[forward]
plugin = "tomo2d"
stations = "stations.csv"
times = "times.csv"

[forward.grid]
unit = "km"
shape = [5, 4]
origin = [0.0, 0.0]
spacing = [10.0, 10.0]

[prior.velocity]
kind = "uniform"
lower = 2.0
upper = 4.0

[run]
checkpoint_seconds = {checkpoint_seconds}

[dispatch]
threads = 1

[algorithm]
iterations = {iterations}
"""

ALGORITHMS = {
    "ssvgd": """
name = "ssvgd"
particles = 4
burn_in = 6
warm_up = 3
thin = 3
step_size = 0.5
metric = "gradient"
""",
    "svgd": 'name = "svgd"\nparticles = 6\nstep_size = 0.05\nmetric = "variance"\n',
    "mala": 'name = "mala"\nparticles = 3\nburn_in = 8\nwarm_up = 3\n',
    "pathfinder": 'name = "pathfinder"\npaths = 2\ndraws = 30\n',
    "advi": 'name = "advi"\ncovariance = "full-rank"\nsamples_per_step = 2\ndraws = 30\nstep_size = 0.05\n',
}

FIRST_AFTER_CREATION = 3
"""Creating a run directory makes two calls: it syncs and renames its provenance."""


class Outcome(NamedTuple):
    """All of a run that must not depend on how often it was killed."""

    iterations: np.ndarray
    models: np.ndarray
    state: dict
    metrics: list


def outcome(output):
    store = Store(output)
    checkpoint, stretches = store.checkpoint(), [stretch[:2] for stretch in store.samples()]
    assert checkpoint.status == "finished"
    metrics = [(m["iteration"], m["log_density"], m["step"]) for m in store.metrics()]
    return Outcome(*(np.concatenate(part) for part in zip(*stretches, strict=True)), checkpoint.arrays, metrics)


def finished(output):
    """The result of a run that is there."""
    return Result(Store(output), load_run(Store(output)))


def assert_same(a, b):
    assert_array_equal(a.iterations, b.iterations)
    assert_array_equal(a.models, b.models)
    assert a.state.keys() == b.state.keys()
    for key in a.state:
        assert_array_equal(a.state[key], b.state[key], err_msg=key)
    assert a.metrics == b.metrics


class Lives:
    """Processes that run or resume one problem in one run directory, one after the other."""

    def __init__(self, folder, algorithm, iterations, checkpoint_seconds):
        rng = np.random.default_rng(1)
        stations, (a, b) = rng.uniform([0, 0], [40, 30], (5, 2)), np.triu_indices(5, 1)
        times = np.linalg.norm(stations[a] - stations[b], axis=1) / 3 + rng.normal(size=10)
        pd.DataFrame({"name": np.arange(5), "y": stations[:, 0], "x": stations[:, 1]}).to_csv(folder / "stations.csv")
        pd.DataFrame({"source": a, "receiver": b, "time": times.clip(1), "sigma": 1.0}).to_csv(folder / "times.csv")
        self.config, self.script = folder / "problem.toml", folder / "script.py"
        self.config.write_text(
            CONFIG.format(iterations=iterations, checkpoint_seconds=checkpoint_seconds) + ALGORITHMS[algorithm]
        )
        self.script.write_text(SCRIPT)

    def start(self, output, die_at=0, overwrite=False):
        names = {"config": str(self.config), "output": str(output), "die_at": die_at, "overwrite": overwrite}
        process = FORKS.Process(target=runpy.run_path, args=(str(self.script), names))
        process.start()
        return process

    def live(self, output, die_at=0, overwrite=False):
        """Exit code of a process that kills itself at its `die_at`-th fsync, rename or removal, or ends."""
        process = self.start(output, die_at, overwrite)
        process.join()
        return process.exitcode

    def live_until(self, output, rng, longest):
        """Exit code of a process that is killed at a random moment after its first iterations."""
        metrics = output / "metrics.jsonl"
        before = metrics.stat().st_size if metrics.is_file() else 0
        process = self.start(output)
        while process.is_alive() and not (metrics.is_file() and metrics.stat().st_size > before):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, longest))
        process.kill()
        process.join()
        return process.exitcode


def assert_prefix(output, whole):
    """What a reader sees of a killed run is the beginning of the whole run."""
    for iterations, models, _ in Store(output).samples():
        place = np.searchsorted(whole.iterations, iterations)
        assert_array_equal(whole.iterations[place], iterations)
        assert_array_equal(whole.models[place], models)


@pytest.mark.parametrize(("algorithm", "iterations"), [("ssvgd", 3000), ("svgd", 3000), ("advi", 3000)])
def test_killed_at_random_moments(tmp_path, algorithm, iterations):
    lives, rng = Lives(tmp_path, algorithm, iterations, 0.02), np.random.default_rng(2)
    assert lives.live(tmp_path / "whole") == 0
    whole = outcome(tmp_path / "whole")
    killed_between = 0
    for _ in range(5):
        exit_code = lives.live_until(tmp_path / "killed", rng, longest=0.15)
        assert exit_code in (0, -signal.SIGKILL)
        assert_prefix(tmp_path / "killed", whole)
        checkpoint = Store(tmp_path / "killed").checkpoint()
        killed_between += checkpoint is not None and 0 < checkpoint.iteration < iterations
    assert killed_between >= 2, "the run is too short for kills between checkpoints"
    assert lives.live(tmp_path / "killed") == 0
    assert_same(outcome(tmp_path / "killed"), whole)


@pytest.mark.parametrize("algorithm", ["ssvgd", "svgd"])
def test_killed_at_every_step_of_a_commit(tmp_path, algorithm):
    """Killed just before the k-th fsync, rename or removal in the first life, and at the fifth in the second."""
    lives = Lives(tmp_path, algorithm, 12, 1e-9)  # a commit at every iteration
    assert lives.live(tmp_path / "whole") == 0
    whole = outcome(tmp_path / "whole")
    for die_at in itertools.chain(range(FIRST_AFTER_CREATION, 18), itertools.count(20, 7)):
        output = tmp_path / f"killed{die_at}"
        exit_code = lives.live(output, die_at)
        if exit_code == 0:  # it ended before its k-th call
            break
        lives.live(output, 5)
        assert lives.live(output) == 0
        assert_same(outcome(output), whole)
    assert die_at > 23


@pytest.mark.parametrize("die_at", range(1, FIRST_AFTER_CREATION))
def test_killed_while_a_run_is_created(tmp_path, die_at):
    """What is left then is either a run to resume or a folder in which to run again."""
    lives = Lives(tmp_path, "svgd", 5, 30)
    assert lives.live(tmp_path / "killed", die_at) == -signal.SIGKILL
    assert lives.live(tmp_path / "killed") == 0


@pytest.mark.parametrize("die_at", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
def test_killed_while_a_run_is_overwritten(tmp_path, die_at):
    """No mixture of the old run and the new is left, such as a checkpoint without its samples."""
    lives = Lives(tmp_path, "svgd", 5, 30)
    output = tmp_path / "run"
    assert lives.live(output) == 0
    whole = outcome(output)
    assert lives.live(output, die_at, overwrite=True) == -signal.SIGKILL
    assert lives.live(output) == 0
    assert_same(outcome(output), whole)


@pytest.mark.parametrize("algorithm", ["ssvgd", "mala"])
def test_a_finished_run_goes_on_as_if_it_had_been_asked_for_more(tmp_path, algorithm):
    """In two extensions, the second of them killed, read by whoever asks in between."""
    lives = Lives(tmp_path, algorithm, 60, 1e-9)
    assert lives.live(tmp_path / "whole") == 0
    lives.config.write_text(lives.config.read_text().replace("iterations = 60", "iterations = 20"))
    run_dir = tmp_path / "extended"
    assert lives.live(run_dir) == 0
    assert vip.resume(run_dir, iterations=35).status == "finished"
    assert run_status(Store(run_dir))["iteration"] == "35 of 35, saved to 35"
    Store(run_dir).extend(60)
    assert Store(run_dir).checkpoint().status == "interrupted"
    assert lives.live(run_dir, die_at=20) == -signal.SIGKILL
    assert run_status(Store(run_dir))["iteration"].split(",")[0].endswith("of 60")
    assert lives.live(run_dir) == 0
    assert_same(outcome(run_dir), outcome(tmp_path / "whole"))


def test_the_last_particles_of_an_extended_run_count(tmp_path):
    lives = Lives(tmp_path, "svgd", 40, 30)
    assert lives.live(tmp_path / "whole") == 0
    lives.config.write_text(lives.config.read_text().replace("iterations = 40", "iterations = 20"))
    vip.run(vip.load_problem(lives.config), tmp_path / "extended")
    extended, whole = vip.resume(tmp_path / "extended", iterations=40), finished(tmp_path / "whole")
    assert_array_equal(extended.models, whole.models)


def test_only_more_iterations_are_an_extension(tmp_path):
    lives = Lives(tmp_path, "ssvgd", 20, 30)
    run_dir = tmp_path / "run"
    asked = iter(range(100))
    vip.run(vip.load_problem(lives.config), run_dir, stop=lambda: next(asked) >= 12)
    for iterations, message in ((12, "done 12"), (19, "to do 20")):
        with pytest.raises(ConfigError, match=f"--iterations: {iterations}: .*{message}"):
            vip.resume(run_dir, iterations=iterations)
    assert vip.resume(run_dir, iterations=20).status == "finished"
    assert Store(run_dir).extension is None
    with pytest.raises(ConfigError, match="done 20"):
        vip.resume(run_dir, iterations=20)


def test_a_run_that_has_converged_says_so(tmp_path):
    lives = Lives(tmp_path, "pathfinder", 5000, 30)
    result = vip.run(vip.load_problem(lives.config), tmp_path / "run")
    assert result.status == "finished"
    assert result.store.checkpoint().iteration < 5000
    with pytest.raises(StoreError, match="converged after"):
        vip.resume(tmp_path / "run", iterations=6000)
    assert vip.resume(tmp_path / "run").status == "finished"


def test_an_overwritten_run_is_not_extended(tmp_path):
    lives = Lives(tmp_path, "svgd", 5, 30)
    assert lives.live(tmp_path / "run") == 0
    vip.resume(tmp_path / "run", iterations=7)
    result = vip.run(vip.load_problem(lives.config), tmp_path / "run", overwrite=True)
    assert len(result.store.metrics()) == 5
