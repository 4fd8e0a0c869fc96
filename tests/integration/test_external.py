"""Programs of one's own: what goes to them, what comes back, and what is left behind when they fail."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import vip as package
from vip.dispatch.serial import Serial
from vip.errors import ForwardError
from vip.forward.external import External
from vip.forward.external.process import _dies_with_us
from vip.runs.store import Store

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "external"
PATHS = ["{model}", "{log_likelihood}", "{gradient}"]
TRUTH = np.array([0.35, 0.5, 0.8, 1.1, 0.9, 0.6, 0.7, 1.2])
"""True model of temperatures.txt, mm2/s."""

QUADRATIC = """
import os, signal, sys
from pathlib import Path
import numpy as np
model_file, value_file, gradient_file = sys.argv[1:4]
model = np.load(model_file)
value, gradient = -0.5 * (model**2).sum(), -model
if model[0] > 100:
    {bad}
np.save(value_file, value)
np.save(gradient_file, gradient)
"""


def vector(n):
    return [{"name": "v", "units": "1", "axes": [{"name": "x", "units": "m", "start": 0.0, "step": 1.0, "count": n}]}]


def external(base_dir, *command, n=3, **settings):
    """A plugin that keeps its scratch folders in base_dir."""
    return External.from_settings(
        {"command": list(command), "variables": vector(n), "scratch": "scratch", **settings}, base_dir
    )


def quadratic(base_dir, bad="pass", **settings):
    """A program that does something bad where the model's first entry is above 100."""
    (base_dir / "program.py").write_text(QUADRATIC.format(bad=bad))
    return external(base_dir, sys.executable, "program.py", *PATHS, **settings)


def kept(base_dir):
    """Scratch folders that are still there."""
    return list((base_dir / "scratch").iterdir()) if (base_dir / "scratch").exists() else []


def failure(plugin, models):
    with pytest.raises(ForwardError) as caught:
        plugin(models)
    return caught.value


# The example


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example's folder with its program built, as its configuration says."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler, cc")
    folder = tmp_path_factory.mktemp("example") / "external"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("runs", "ground_heat"))
    config = (folder / "ground_heat.toml").read_text()
    build = next(line.lstrip("# ") for line in config.splitlines() if line.startswith("#   cc "))
    subprocess.run([*build.split(), "-Wall", "-Wextra", "-Werror", "-pedantic"], cwd=folder, check=True)
    return folder


@pytest.fixture
def ground_heat(example):
    return external(example, "./ground_heat", "temperatures.txt", *PATHS, n=8, inputs=["temperatures.txt"])


def heat_twin(model, data):
    """Log-likelihood by the equations of ground_heat.c, in NumPy."""
    spacing, steps_per_day, days = 0.5, 2, 730
    kappa = np.repeat(model, 2) * 1e-6
    c = np.full(len(kappa) + 1, 86400 / steps_per_day / spacing**2)
    c[-1] *= 2
    temperature = np.zeros((days * steps_per_day + 1, len(c)))
    for k in range(days * steps_per_day):
        flux = kappa * np.diff(temperature[k])
        change = np.zeros(len(c))
        change[:-1] += flux
        change[1:] -= flux
        temperature[k + 1] = temperature[k] + c * change
        temperature[k + 1, 0] = 12 * np.sin(2 * np.pi * (k + 1) / (steps_per_day * 365))
    time_days, depth, observed, sigma = data.T
    predicted = temperature[np.rint(time_days * steps_per_day).astype(int), np.rint(depth / spacing).astype(int)]
    return -0.5 * (((observed - predicted) / sigma) ** 2).sum()


def test_the_c_program_is_its_numpy_twin(ground_heat, example):
    data = np.loadtxt(example / "temperatures.txt")
    models = np.random.default_rng(0).uniform(0.1, 2.0, (4, 8))
    value, _ = ground_heat(models)
    np.testing.assert_allclose(value, [heat_twin(model, data) for model in models], rtol=1e-10)
    # The data were made on a finer grid: they fit the truth within noise, 104 of them.
    assert abs(-2 * heat_twin(TRUTH, data) - 104) < 4 * np.sqrt(2 * 104)
    assert kept(example) == []


def test_the_gradient_of_the_c_program(ground_heat):
    model, step = np.linspace(0.4, 1.5, 8), 1e-5
    _, gradient = ground_heat(model[None])
    shifted = np.concatenate([model + step * np.eye(8), model - step * np.eye(8)])
    value, _ = ground_heat(shifted)
    np.testing.assert_allclose(gradient[0], (value[:8] - value[8:]) / (2 * step), rtol=1e-6, atol=1e-6)


def test_strided_and_transposed_models(ground_heat):
    models = np.random.default_rng(1).uniform(0.1, 2.0, (3, 8))
    expected = ground_heat(models)
    for same in (np.asfortranarray(models), np.repeat(models, 2, axis=1)[:, ::2]):
        for a, b in zip(ground_heat(same), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"\(3, 7\), expected \(n, 8\)"):
        ground_heat(models[:, :7])


def test_a_copy_in_another_process_is_the_same(ground_heat, monkeypatch, tmp_path):
    models = np.full((1, 8), 0.7)
    expected = ground_heat(models)[0]
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ground_heat))(models)[0], expected)


def test_a_model_that_the_program_refuses(ground_heat, example):
    models = np.full((3, 8), 0.7)
    models[1, 4] = -0.2
    evaluation = Serial(ground_heat).evaluate(models)
    assert list(evaluation.failures) == [1]
    assert "exit code 2; stderr: ground_heat: diffusivity of layer 5 is -0.2 mm2/s" in evaluation.failures[1]
    assert np.isfinite(evaluation.gradient[[0, 2]]).all()
    shutil.rmtree(example / "scratch")


def vip(*arguments, cwd=None):
    command = [sys.executable, "-c", "from vip.cli.main import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_the_example_from_the_command_line(example, tmp_path):
    checked = vip("check", "ground_heat.toml", cwd=example)  # a bare name: the configuration's folder is "."
    assert checked.returncode == 0, checked.stderr
    assert "passed" in checked.stdout
    run_dir = tmp_path / "run"
    ran = vip("run", example / "ground_heat.toml", "--output", run_dir, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    models = np.concatenate([stretch.models for stretch in Store(run_dir).samples()])[-1]
    # The topmost layers are well known; prior means there would be 1.05.
    np.testing.assert_allclose(models.mean(axis=0)[:3], TRUTH[:3], atol=0.15)
    assert "temperatures.txt" in json.dumps(Store(run_dir).provenance)


# What comes back


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("sys.exit(0)", "did not write log_likelihood.npy"),
        ("np.save(value_file, 1.0); sys.exit(0)", "did not write gradient.npy"),
        ("gradient = gradient[:2]", "gradient.npy has shape (2,), expected (3,)"),
        ("gradient = gradient[None]", "gradient.npy has shape (1, 3), expected (3,)"),
        ("value = model", "log_likelihood.npy has shape (3,), expected one number"),
        ("value = np.nan", "log_likelihood.npy is nan"),
        ("value = -np.inf", "log_likelihood.npy is -inf"),
        ("gradient[1] = np.nan", "gradient.npy has 1 of 3 entries that are not finite, the first is [1] = nan"),
        ("gradient = gradient * 1j", "gradient.npy has dtype complex128"),
        ("gradient = np.array([None] * 3)", "gradient.npy cannot be read: Object arrays"),
        ("Path(value_file).write_bytes(b'-1.5'); sys.exit(0)", "log_likelihood.npy cannot be read"),
        ("Path(value_file).touch(); sys.exit(0)", "log_likelihood.npy cannot be read"),
        (
            "print('layer 2\\n\\x1b[2J is\\nliquid', file=sys.stderr); sys.exit(3)",
            "exit code 3; stderr: layer 2 | ?[2J is | liquid",
        ),
        ("print('STOP 4'); sys.exit(4)", "exit code 4; stdout: STOP 4"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by signal 11 SIGSEGV"),
    ],
)
def test_bad_output_is_named_and_spoils_no_other_particle(tmp_path, bad, message):
    models = np.array([[1.0, 2, 3], [200, 1, 1], [4, 5, 6]])
    error = failure(quadratic(tmp_path, bad), models)
    assert list(error.reasons) == [1]
    assert message in error.reasons[1]
    assert "\n" not in error.reasons[1]
    values, gradients = error.others
    np.testing.assert_array_equal(values, [-7, np.nan, -38.5])
    np.testing.assert_array_equal(gradients, [-models[0], [np.nan] * 3, -models[2]])
    (folder,) = kept(tmp_path)  # of the failure alone
    assert str(folder) in error.reasons[1]
    assert {"model.npy", "stdout.txt", "stderr.txt"} <= {file.name for file in folder.iterdir()}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_truncated_file(tmp_path):
    bad = "np.save(gradient_file, gradient); np.save(value_file, value); os.truncate(gradient_file, 140); sys.exit(0)"
    assert "gradient.npy cannot be read" in failure(quadratic(tmp_path, bad), np.full((1, 3), 200.0)).reasons[0]


def test_other_real_numbers_are_converted(tmp_path):
    bad = "value, gradient = np.float32([value]), gradient.astype('>i2')"
    value, gradient = quadratic(tmp_path, bad)(np.full((1, 3), 200.0))
    assert value.dtype == gradient.dtype == np.float64
    np.testing.assert_array_equal(value, [-60000])
    np.testing.assert_array_equal(gradient, [[-200.0] * 3])


HDF5 = """
import sys, h5py
with h5py.File(sys.argv[1]) as file:
    model = file["model"][:]
with h5py.File(sys.argv[2], "w") as file:
    file["log_likelihood"] = -0.5 * (model**2).sum()
    if model[0] < 100:
        file["gradient"] = -model
"""


def test_hdf5(tmp_path):
    (tmp_path / "program.py").write_text(HDF5)
    plugin = external(tmp_path, sys.executable, "program.py", "{model}", "{result}", format="hdf5")
    models = np.array([[1.0, 2, 3], [200, 1, 1]])
    error = failure(plugin, models)
    assert "result.h5 has no dataset gradient" in error.reasons[1]
    np.testing.assert_array_equal(error.others[0], [-7, np.nan])
    np.testing.assert_array_equal(error.others[1][0], -models[0])
    (tmp_path / "program.py").write_text("import sys; open(sys.argv[2], 'w').write('no HDF5')")
    assert "result.h5 cannot be read" in failure(plugin, models[:1]).reasons[0]


# What goes to the program

ARGUMENTS = ["a b", 'it\'s "quoted"', "$(touch x)", "`touch x`", "; touch x", "line\nbreak", "*", "", "$HOME", "µ"]
ARGUMENTS += ["{}", '{"a": {"b": 1}}', "-n"]


def test_arguments_arrive_as_they_are_and_run_nothing(tmp_path):
    bad = "np.save('seen.npy', sys.argv[4:]); np.save('scratch.npy', os.listdir(sys.argv[-1]))"
    (tmp_path / "program.py").write_text(QUADRATIC.format(bad=bad))
    folder = tmp_path / "it's $(touch x) {model}"
    command = [sys.executable, "program.py", *PATHS, *ARGUMENTS, "{{model}}", "--out={scratch}/x", "-n{threads}", "{scratch}"]
    plugin = external(tmp_path, *command, scratch=folder.name)
    plugin.threads = 3
    plugin(np.full((1, 3), 200.0))
    *seen, literal, option, threads, scratch = np.load(tmp_path / "seen.npy").tolist()
    assert seen == ARGUMENTS
    assert (literal, option, threads) == ("{model}", f"--out={scratch}/x", "-n3")
    assert Path(scratch).parent == folder
    assert set(np.load(tmp_path / "scratch.npy")) == {"model.npy", "stdout.txt", "stderr.txt"}
    assert not list(tmp_path.rglob("x"))


def test_the_environment(tmp_path):
    bad = "value = sum(float(os.environ[name]) for name in ('OMP_NUM_THREADS', 'MINE'))"
    plugin = quadratic(tmp_path, bad, environment={"MINE": "0.5"})
    plugin.threads = 7
    model = np.full((1, 3), 200.0)
    assert plugin(model)[0] == 7.5
    theirs = quadratic(tmp_path, bad, environment={"MINE": "0.5", "OMP_NUM_THREADS": "1"})
    theirs.threads = 7
    assert theirs(model)[0] == 1.5


def test_the_model_file_is_the_plainest_npy(tmp_path):
    bad = "Path('model').write_bytes(Path(model_file).read_bytes())"
    quadratic(tmp_path, bad)(np.array([[200.0, 1, 2]]))
    content = (tmp_path / "model").read_bytes()
    assert content.startswith(b"\x93NUMPY\x01\x00")
    assert b"'descr': '<f8', 'fortran_order': False, 'shape': (3,)" in content
    assert content[-24:] == np.array([200.0, 1, 2], "<f8").tobytes()


# Retries, timeouts and what is left behind


def test_a_failure_is_tried_again(tmp_path, caplog):
    bad = "with open('tries', 'a') as tries: tries.write('x')\n    if os.path.getsize('tries') < 3: sys.exit(9)"
    models = np.full((1, 3), 200.0)
    error = failure(quadratic(tmp_path, bad, retries=1), models)
    assert "exit code 9" in error.reasons[0]
    assert len(kept(tmp_path)) == 1  # the last try's
    (tmp_path / "tries").unlink()
    value, _ = quadratic(tmp_path, bad, retries=2)(models)
    np.testing.assert_array_equal(value, [-60000])
    assert (tmp_path / "tries").read_text() == "xxx"
    assert len(kept(tmp_path)) == 1
    assert "exit code 9; retry 2 of 2" in caplog.text


FAMILY = """
import subprocess, sys, time
beside = {beside}
child = subprocess.Popen(["sleep", "1000"], process_group=0 if beside else None)
with open(sys.argv[1], "w") as file:
    print(child.pid, file=file)
{then}
"""


def family(base_dir, then, beside=False, **settings):
    """A program with a child, in a process group of its own or not, whose number it writes to a file."""
    (base_dir / "family.py").write_text(FAMILY.format(beside=beside, then=then))
    return external(base_dir, sys.executable, "family.py", "child", "{scratch}", **settings)


def is_alive(pid):
    """Whether a process runs; one that nobody has asked about since its death does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def child(base_dir):
    return int((base_dir / "child").read_text())


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


@needs_proc
@pytest.mark.parametrize("beside", [False, True])
def test_after_a_timeout_nothing_runs_on(tmp_path, beside):
    plugin = family(tmp_path, "print('half way', file=sys.stderr, flush=True); time.sleep(1000)", beside, timeout=2.0)
    error = failure(plugin, np.ones((1, 3)))
    assert "killed after the timeout of 2 s; stderr: half way" in error.reasons[0]
    wait_until(lambda: not is_alive(child(tmp_path)))
    assert len(kept(tmp_path)) == 1


@needs_proc
def test_what_a_program_leaves_running_is_killed(tmp_path):
    assert "did not write" in failure(family(tmp_path, "sys.exit(0)"), np.ones((1, 3))).reasons[0]
    wait_until(lambda: not is_alive(child(tmp_path)))


WORKER = """
import signal, sys, numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a shell ignores it
sys.path.insert(0, {root!r})
from pathlib import Path
import vip as package
from vip.forward.external import External
External.from_settings({settings!r}, Path({base_dir!r}))(np.ones((1, 3)))
"""


def worker(base_dir, then):
    """Another process, once its program has a child."""
    settings = {**family(base_dir, then).settings.model_dump(mode="json"), "scratch": "scratch"}
    script = WORKER.format(root=str(ROOT), settings=settings, base_dir=str(base_dir))
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    wait_until(lambda: (base_dir / "child").exists() and (base_dir / "child").read_text().endswith("\n"))
    return process


@needs_proc
def test_an_interrupted_evaluation_leaves_nothing(tmp_path):
    process = worker(tmp_path, "time.sleep(1000)")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    wait_until(lambda: not is_alive(child(tmp_path)))
    assert kept(tmp_path) == []


@needs_proc
@pytest.mark.skipif(not _dies_with_us(), reason="needs setpriv of util-linux 2.33 or later")
def test_a_program_does_not_outlive_a_worker_that_is_killed(tmp_path):
    process = worker(tmp_path, "open('program', 'w').write(str(__import__('os').getpid())); time.sleep(1000)")
    wait_until(lambda: (tmp_path / "program").exists() and (tmp_path / "program").read_text())
    process.kill()
    process.wait()
    program = int((tmp_path / "program").read_text())
    wait_until(lambda: not is_alive(program))
    os.kill(child(tmp_path), signal.SIGKILL)  # only the program itself hears of it, not what it started


# Configurations


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"command": ["sh", "{modell}", *PATHS]}, ["command: {modell}", "{model}, {log_likelihood}, {gradient}", "{{modell}}"]),
        ({"command": ["sh", *PATHS], "format": "hdf5"}, ["command: {gradient}", "{model}, {result}"]),
        ({"command": ["sh", "{model}"]}, ["the command must name its files", "{log_likelihood}", "{scratch}"]),
        ({"command": ["./{threads}", *PATHS]}, ["./{threads}", "cannot have placeholders"]),
        ({"command": ["no-such-program", *PATHS]}, ["no-such-program", "not on PATH", "./no-such-program"]),
        ({"command": ["./no-such-program", *PATHS]}, ["/no-such-program", "there is no such program"]),
        ({"command": ["./plain.txt", *PATHS]}, ["plain.txt", "is not executable"]),
        ({"command": [".//", *PATHS]}, ["there is no such program"]),
        ({"inputs": ["nowhere.txt"]}, ["inputs", "nowhere.txt", "no such file"]),
        ({"variables": vector(2) * 2}, ["variables", "must differ"]),
        ({"command": []}, ["command", "at least one"]),
        ({"variables": [*vector(2), {**vector(3)[0], "name": "w"}]}, ["variables: x", "same in all variables"]),
    ],
)
def test_a_wrong_configuration(tmp_path, change, message):
    (tmp_path / "plain.txt").touch(mode=0o600)
    with pytest.raises(ValueError) as caught:  # a ConfigError, or pydantic's around it
        External.from_settings({"command": ["sh", *PATHS], "variables": vector(3), **change}, tmp_path)
    for part in message:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{gradient}", "{gradeint}", ["forward.command", "{gradeint}", "no such placeholder"]),
        ("timeout =", "time_out =", ["forward.time_out", "unknown key", "timeout"]),
        ("timeout = 60.0", "timeout = -1.0", ["forward.timeout", "-1.0", "greater than 0"]),
        ('"./ground_heat"', '"./heat"', ["forward.command", "/heat", "build it first"]),
        ('"temperatures.txt"]', '"t.txt"]', ["forward.inputs", "t.txt", "no such file"]),
        ("step = 1.0", "step = 0.0", ["forward.variables", "step", "must not be zero"]),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path, old, new, message):
    for file in ("ground_heat.toml", "temperatures.txt"):
        shutil.copy(EXAMPLE / file, tmp_path)
    (tmp_path / "ground_heat").touch(mode=0o700)
    config = tmp_path / "ground_heat.toml"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))
    result = vip("check", config)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1, result.stderr
    for part in [str(config), *message]:
        assert part in result.stderr


def test_the_starter_configuration_is_valid(tmp_path):
    config = tmp_path / "external.toml"
    config.write_text(External.starter_config())
    (tmp_path / "my_program").touch(mode=0o700)
    problem = package.load_problem(config)
    assert problem.space.size == 20 * 30 * 30
