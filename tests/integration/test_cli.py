"""The command line as a user meets it: separate processes, exit codes, what is printed where."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from vip.runs.store import Store

ROOT = Path(__file__).parents[2]
SHORT = {"iterations = 2000": "iterations = 40", "burn_in = 800": "burn_in = 20", "warm_up = 300": "warm_up = 10"}


def vip(*arguments, cwd=None, **environment):
    command = [sys.executable, "-c", "from vip.cli.main import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}, check=False)


def edit(config, replacements):
    text = config.read_text()
    for old, new in replacements.items():
        assert old in text, old
        text = text.replace(old, new)
    config.write_text(text)


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory):
    """What `vip simulate` writes."""
    directory = tmp_path_factory.mktemp("synthetic") / "data"
    assert vip("simulate", "tomo2d", directory).returncode == 0
    return directory


@pytest.fixture
def config(synthetic, tmp_path):
    """A short run on synthetic data."""
    shutil.copytree(synthetic, tmp_path / "data")
    path = tmp_path / "data" / "tomo2d.toml"
    edit(path, SHORT)
    return path


def test_the_whole_way(config, tmp_path):
    checked = vip("check", config)
    assert checked.returncode == 0, checked.stderr
    assert "passed" in checked.stdout
    assert "800 in 40 iterations" in checked.stdout  # 40 iterations of 20 particles

    run_dir = tmp_path / "run"
    ran = vip("run", config, "--output", run_dir)
    assert ran.returncode == 0, ran.stderr
    assert "log-posterior" in ran.stderr
    assert f"not converged: R-hat above 1.05 in 100% of entries; run on with `vip resume {run_dir} --iterations" in ran.stdout
    assert "40 of 40" in vip("status", run_dir).stdout
    assert (run_dir / "run.log").read_text().count("finished") == 1

    reported = vip("report", run_dir)
    assert reported.returncode == 0, reported.stderr
    assert Path(reported.stdout.strip()).is_file()

    exported = vip("export", run_dir)
    assert exported.returncode == 0, exported.stderr
    tree = xr.open_datatree(exported.stdout.strip(), engine="h5netcdf")
    velocity = tree["posterior"]["velocity"]
    assert velocity.dims == ("chain", "draw", "latitude", "longitude")
    assert velocity.shape == (20, 5, 41, 38)
    assert velocity.attrs["units"] == "km/s"
    assert float(velocity.min()) >= 1.6
    assert float(velocity.max()) <= 4.6
    assert {"prior", "observed_data", "posterior_predictive", "sample_stats"} <= set(tree.children)

    again = vip("run", config, "--output", run_dir)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    assert vip("run", config, "--output", run_dir, "--overwrite").returncode == 0


def test_a_finished_run_is_extended(config, tmp_path):
    run_dir = tmp_path / "run"
    assert vip("run", config, "--output", run_dir).returncode == 0
    refused = vip("resume", run_dir, "--iterations", 40)
    assert refused.returncode == 2
    assert "--iterations: 40: it has done 40 already" in refused.stderr
    extended = vip("resume", run_dir, "--iterations", 44)
    assert extended.returncode == 0, extended.stderr
    assert "not converged" in extended.stdout
    assert "44 of 44" in vip("status", run_dir).stdout


def test_calibrate(tmp_path):
    folder = shutil.copytree(ROOT / "examples/own_forward", tmp_path / "own")
    edit(folder / "decay.toml", {"iterations = 3000": "iterations = 60", "burn_in = 1000": "burn_in = 40"})
    edit(folder / "decay.toml", {"warm_up = 300": "warm_up = 20"})
    first = vip("calibrate", folder / "decay.toml", "--replicates", 10, "--output", tmp_path / "out")
    assert first.returncode == 0, first.stderr
    assert "replicate 10/10" in first.stderr
    assert Path(first.stdout.splitlines()[0]).read_bytes().startswith(b"\x89PNG")
    assert "10 replicates, 3 quantities" in first.stdout.splitlines()[1]
    again = vip("calibrate", folder / "decay.toml", "--replicates", 11, "--output", tmp_path / "out")
    assert again.stderr.splitlines() == ["replicate 11/11"]


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_resume_ends_as_if_nothing_had_happened(config, tmp_path, number, exit_code):
    edit(config, {"iterations = 40": "iterations = 60"})
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert vip("run", config, "--output", whole).returncode == 0
    command = [sys.executable, "-c", "from vip.cli.main import main; main()", "run", str(config), "--output", str(stopped)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (stopped / "metrics.jsonl").is_file() or len((stopped / "metrics.jsonl").read_text().splitlines()) < 25:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == exit_code, err
    assert "vip resume" in out
    assert "Traceback" not in err
    assert Store(stopped).checkpoint().status == "interrupted"
    assert vip("resume", stopped).returncode == 0
    expected, found = (np.concatenate([stretch.models for stretch in Store(path).samples()]) for path in (whole, stopped))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("refinement = 2", "refinment = 2", ["forward.grid.refinment", "unknown key"]),
        ('unit = "km/s"', 'unit = "m/s"', ["prior.velocity.unit", "m/s", "km/s"]),
        ("lower = 1.6", "lower = 5.6", ["prior.velocity.upper", "4.6", "5.6"]),
        ('"stations.csv"', '"nowhere.csv"', ["nowhere.csv", "cannot be read"]),
        ("shape = [41, 38]", "shape = [11, 38]", ["station", "outside the grid"]),
        ("step_size = 2.0", "step_size = -2.0", ["algorithm.step_size", "-2.0", "greater than 0"]),
    ],
)
def test_a_broken_configuration_is_one_line_and_exit_code_2(config, tmp_path, old, new, message):
    edit(config, {old: new})
    result = vip("run", config, "--output", tmp_path / "run")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1, result.stderr
    assert str(config) in result.stderr or ".csv" in result.stderr
    for part in message:
        assert part in result.stderr
    assert not (tmp_path / "run").exists()


def test_init_writes_a_configuration_and_keeps_what_is_there(tmp_path):
    assert vip("init", "tomo2d", cwd=tmp_path).returncode == 0
    assert "[forward.grid]" in (tmp_path / "tomo2d.toml").read_text()
    refused = vip("init", "tomo2d", cwd=tmp_path)
    assert refused.returncode == 1
    assert "exists" in refused.stderr
    assert vip("init", "nothing", cwd=tmp_path).returncode == 2


def test_resume_of_what_is_no_run(tmp_path):
    result = vip("resume", tmp_path)
    assert result.returncode == 1
    assert "not a run directory" in result.stderr


def test_plugins_doctor_and_data():
    assert "tomo2d" in vip("plugins").stdout
    doctor = vip("doctor", COLUMNS="200")
    assert doctor.returncode == 0, doctor.stdout
    assert "eikonal2d" in doctor.stdout
    unknown = vip("data", "atlantis")
    assert unknown.returncode == 2
    assert "british-isles" in unknown.stderr


def test_a_forward_of_ones_own(tmp_path):
    run_dir = tmp_path / "run"
    assert vip("check", ROOT / "examples/own_forward/decay.toml").returncode == 0
    ran = vip("run", ROOT / "examples/own_forward/decay.toml", "--output", run_dir)
    assert ran.returncode == 0, ran.stderr
    models = np.concatenate([stretch.models for stretch in Store(run_dir).samples()])
    # 40 data of sigma 0.05: the truth, (2, 1.5), lies within four posterior standard deviations.
    mean, sd = models.mean(axis=(0, 1)), models.std(axis=(0, 1))
    assert np.all(np.abs(mean - [2.0, 1.5]) < 4 * sd)
    assert np.all(sd < 0.1)


@pytest.mark.parametrize("name", ["ssvgd", "svgd", "advi"])
def test_the_published_set_ups_are_valid(name):
    if not os.environ.get("VIP_DATA_DIR"):
        pytest.skip("needs the British Isles data: vip data british-isles, or VIP_DATA_DIR")
    import vip as package

    problem = package.load_problem(ROOT / "examples" / "british_isles" / f"{name}.toml")
    assert problem.space.size == 41 * 38
    assert len(problem.forward.observed) == 401
