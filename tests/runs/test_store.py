"""The run directory: what counts, what does not, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import vip
from vip.errors import AlgorithmError, ForwardError, StoreError, VIPError
from vip.protocols import Info
from vip.runs.store import Store, flatten, unflatten

FORWARD = """
import numpy as np
from vip.protocols import ModelSpace, Variable

class Quadratic:
    space, ndim = ModelSpace((Variable("x", "1", ("i",), {"i": np.arange(2.0)}),)), 2

    @classmethod
    def from_settings(cls, settings, base_dir):
        forward = cls()
        forward.inputs = [base_dir / "data.txt"]
        return forward

    def __call__(self, models):
        return -0.5 * (models**2).sum(axis=1), -models
"""

CONFIG = """
[forward]
plugin = "./quadratic.py:Quadratic"

[prior.x]
kind = "gaussian"
mean = 0.0
covariance_file = "covariance.txt"

[algorithm]
name = "svgd"
iterations = 6
particles = 3
step_size = 0.1
"""


class Moments(NamedTuple):
    count: int
    first: np.ndarray


class State(NamedTuple):
    particles: np.ndarray
    bandwidth: float
    moments: Moments


def state(value=0.5):
    return State(np.full((3, 2), value), value, Moments(7, np.zeros(0)))


def models(iteration):
    """Recognisable samples (2, 3) of an iteration."""
    return np.full((2, 3), float(iteration))


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "run", "seed = 1\n", {"seed": 1, "inputs": {}})


@pytest.fixture
def problem(tmp_path):
    (tmp_path / "quadratic.py").write_text(FORWARD)
    (tmp_path / "data.txt").write_text("1 2 3\n")
    (tmp_path / "covariance.txt").write_text("2 0\n0 1\n")
    (tmp_path / "problem.toml").write_text(CONFIG)
    return vip.load_problem(tmp_path / "problem.toml")


def iterations(store):
    return [int(i) for stretch in store.samples() for i in stretch.iterations]


# Samples and checkpoints


def test_committed_samples_and_state_come_back(store):
    for iteration in (2, 4):
        store.append(iteration, models(iteration))
    store.commit(5, "running", state())
    store.append(6, models(6))
    store.commit(7, "finished", state(0.1))
    again = Store(store.path)
    assert iterations(again) == [2, 4, 6]
    for stretch, values, _ in again.samples():
        assert_array_equal(values, [models(i) for i in stretch])
    checkpoint = again.checkpoint()
    assert (checkpoint.iteration, checkpoint.status) == (7, "finished")
    restored = unflatten(state(0.0), checkpoint.arrays)
    assert [type(x) for x in restored] == [type(x) for x in state()]
    assert restored.bandwidth == 0.1
    assert type(restored.moments.count) is int
    assert_array_equal(restored.particles, state(0.1).particles)
    assert restored.moments.first.shape == (0,)


def test_what_is_not_committed_does_not_count(store):
    assert store.checkpoint() is None
    assert iterations(store) == []
    store.append(1, models(1))
    assert iterations(Store(store.path)) == []


def test_samples_beyond_the_checkpoint_do_not_count(store):
    """A process that was killed between samples and checkpoint leaves a whole file of samples."""
    store.append(1, models(1))
    store.commit(2, "running", state())
    before = (store.path / "checkpoint.h5").read_bytes()
    store.append(3, models(3))
    store.commit(4, "running", state())
    (store.path / "checkpoint.h5").write_bytes(before)
    assert iterations(store) == [1]
    store.rewind(2)
    assert [path.stem for path in (store.path / "samples").iterdir()] == ["000000001-000000001"]


def test_a_half_written_file_does_not_count(store):
    store.append(1, models(1))
    store.commit(1, "running", state())
    for name in ("samples/000000002-000000003.h5.part", "checkpoint.h5.part"):
        (store.path / name).write_bytes(b"\x89HDF")
    assert iterations(store) == [1]
    assert store.checkpoint().iteration == 1
    store.rewind(1)
    assert not list(store.path.rglob("*.part"))


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_commit_that_fails_changes_nothing(store, monkeypatch, call, at):
    """A full disk in the middle of a commit: the checkpoint before it and its samples are what a reader sees."""
    store.append(1, models(1))
    store.commit(1, "running", state(0.1))
    left = at

    def fails(*arguments):
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(28, "No space left on device")
        return function(*arguments)

    function = __import__("os").fsync if call == "os.fsync" else Path.replace
    monkeypatch.setattr(call, fails)
    store.append(2, models(2))
    with pytest.raises(StoreError, match="No space left"):
        store.commit(2, "running", state(0.2))
    again = Store(store.path)
    assert iterations(again) == [1]
    assert again.checkpoint().arrays["bandwidth"] == 0.1


def test_a_damaged_checkpoint_is_an_error_not_a_fresh_start(store):
    store.commit(1, "running", state())
    (store.path / "checkpoint.h5").write_bytes(b"not HDF5")
    with pytest.raises(StoreError, match=r"checkpoint\.h5"):
        store.checkpoint()


def test_samples_of_another_state_are_refused():
    with pytest.raises(StoreError, match="moments/count"):
        unflatten(state(), {key: value for key, value in flatten(state()).items() if key != "moments/count"})


@pytest.mark.parametrize("value", ["text", None, [1.0], {"a": 1}])
def test_a_state_holds_nothing_that_would_need_pickling(value):
    with pytest.raises(TypeError, match="bandwidth"):
        flatten(state()._replace(bandwidth=value))


# Metrics


def test_metrics_survive_a_cut_off_line_and_a_rewind(store):
    for iteration in (1, 2, 3):
        store.log_metrics(iteration, Info(-1.5, 0.25), 0.1)
    path = store.path / "metrics.jsonl"
    path.write_text(path.read_text()[:-8])
    assert [m["iteration"] for m in store.metrics()] == [1, 2]
    store.rewind(1)
    store.log_metrics(2, Info(-1.0, 0.5), 0.1)
    assert [(m["iteration"], m["log_density"], m["step"]) for m in store.metrics()] == [(1, -1.5, 0.25), (2, -1.0, 0.5)]


# Whose directory it is


def test_a_second_process_is_refused(store):
    script = f"""
from pathlib import Path
from vip.runs.store import Store
with Store(Path({str(store.path)!r})).lock():
    pass
"""
    command = [sys.executable, "-c", script]
    with store.lock():
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another process is running it" in second.stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_a_run_that_another_process_holds_is_not_overwritten(store):
    store.commit(1, "running", state())
    with store.lock(), pytest.raises(StoreError, match="another process"):
        Store.create(store.path, "", {}, overwrite=True)
    assert store.checkpoint().iteration == 1


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="not a run directory"):
            Store.create(tmp_path, "", {}, overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "run").write_text("precious")
    with pytest.raises(StoreError, match="run"):
        Store.create(tmp_path / "run", "", {}, overwrite=True)


def test_a_run_is_replaced_only_when_asked_and_nothing_else_is(store):
    store.append(1, models(1))
    store.commit(1, "finished", state())
    store.log_metrics(1, Info(0.0, 0.0), 0.0)
    store.save_failed(1, models(1))
    (store.path / "notes.txt").write_text("precious")
    with pytest.raises(StoreError, match="--overwrite"):
        Store.create(store.path, "", {"seed": 2})
    assert iterations(store) == [1]
    new = Store.create(store.path, "seed = 2\n", {"seed": 2}, overwrite=True)
    assert new.provenance == {"seed": 2}
    assert new.checkpoint() is None
    assert iterations(new) == []
    assert new.metrics() == []
    assert {path.name for path in store.path.iterdir()} == {"config.toml", "provenance.json", "samples", ".lock", "notes.txt"}


def test_what_is_not_a_run_directory_is_refused(tmp_path):
    with pytest.raises(StoreError, match="not a run directory"):
        Store(tmp_path)


# Resuming


def interrupted_run(problem, output):
    asked = iter([False, False, True])
    assert vip.run(problem, output, stop=lambda: next(asked)).status == "interrupted"


@pytest.mark.parametrize("name", ["data.txt", "quadratic.py", "covariance.txt"])
@pytest.mark.parametrize("change", ["changed", "gone"])
def test_a_run_whose_inputs_changed_is_not_resumed(tmp_path, problem, name, change):
    """Else its samples would come from two posteriors."""
    interrupted_run(problem, tmp_path / "run")
    file = tmp_path / name
    file.write_text(file.read_text() + "\n") if change == "changed" else file.unlink()
    with pytest.raises(VIPError, match=name):
        vip.resume(tmp_path / "run")


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_a_run_keeps_its_own_configuration(tmp_path, problem, change):
    whole = vip.run(problem, tmp_path / "whole")
    interrupted_run(problem, tmp_path / "run")
    file = tmp_path / "problem.toml"
    file.write_text(file.read_text().replace("0.1", "0.2")) if change == "changed" else file.unlink()
    assert_array_equal(vip.resume(tmp_path / "run").models, whole.models)


def test_a_finished_run_is_left_as_it_is(tmp_path, problem):
    vip.run(problem, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.h5").read_bytes()
    assert vip.resume(tmp_path / "run", tell=pytest.fail).status == "finished"
    assert (tmp_path / "run" / "checkpoint.h5").read_bytes() == before


FAILS = FORWARD.replace("-models", "np.where(models > -1, -models, np.nan)")
RAISES = FORWARD.replace("return -0.5", "if (models < -1).any(): raise ValueError('negative')\n        return -0.5")
RUNS_AWAY = FORWARD.replace("-0.5 * (models**2).sum(axis=1), -models", "np.zeros(len(models)), models")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflows are the point
@pytest.mark.parametrize(
    ("forward", "step_size", "burn_in", "error"),
    [
        (FAILS, 0.05, 1, ForwardError),
        (RAISES, 0.05, 1, ForwardError),
        (RUNS_AWAY, 1e3, 1, AlgorithmError),
        (RUNS_AWAY, 1e3, 4000, AlgorithmError),
    ],
    ids=["the forward fails", "the forward raises", "the particles run away", "the particles run away in burn-in"],
)
def test_a_run_that_cannot_go_on_is_saved(tmp_path, problem, forward, step_size, burn_in, error):
    (tmp_path / "quadratic.py").write_text(forward)
    head, algorithm = CONFIG.split('name = "svgd"\niterations = 6\n')
    ssvgd = (
        f'name = "ssvgd"\niterations = 5000\nburn_in = {burn_in}\nmetric = "none"\n{algorithm.replace("0.1", str(step_size))}'
    )
    (tmp_path / "problem.toml").write_text(head + ssvgd)
    with pytest.raises(error):
        vip.run(vip.load_problem(tmp_path / "problem.toml"), tmp_path / "run")
    store = Store(tmp_path / "run")
    checkpoint = store.checkpoint()
    assert checkpoint is not None
    assert checkpoint.status == "interrupted"
    assert iterations(store) == list(range(burn_in + 1, checkpoint.iteration + 1))
    if error is ForwardError:
        failed = np.load(tmp_path / "run" / f"failed_models_{checkpoint.iteration}.npy")
        assert (failed <= -1).any()


def test_a_checkpoint_of_another_schema_is_refused_and_one_without_is_read(store):
    store.commit(3, "interrupted", state())
    with h5py.File(store.path / "checkpoint.h5", "r+") as file:
        file.attrs["schema"] = 7
    with pytest.raises(StoreError, match="has schema 7, this release reads 1: use the release"):
        store.checkpoint()
    with h5py.File(store.path / "checkpoint.h5", "r+") as file:
        del file.attrs["schema"]
    assert store.checkpoint().iteration == 3
