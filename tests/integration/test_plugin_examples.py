"""The plugins of examples/plugins as a user meets them: `vip check`, then a run that finds the truth; and a new plugin."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vip as package
from vip.diagnose.checks import check_problem
from vip.errors import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "plugins"
DEPTH = np.array([0.5, 1.1, 2.0, 2.7, 2.2, 1.4, 0.9, 0.4])
"""True depths of gravity.csv, km."""
VELOCITY = 1.1
"""True velocity of resonance.csv, km/s."""
NEEDS = {"torch": "torch", "jax": "jax"}
COMPILERS = {"c": "cc", "fortran": "gfortran"}
ALONE = ["numpy", "torch", "jax", "c", "fortran", "differences"]
"""Plugins of the same problem."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the examples, so that nothing is built or run in the place itself."""
    copy = tmp_path_factory.mktemp("examples") / "plugins"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("runs", "*.so", "__pycache__"))
    return copy


def load(folder, kind):
    """The problem of an example, with its library built."""
    if kind in NEEDS and importlib.util.find_spec(NEEDS[kind]) is None:
        pytest.skip(f"needs {NEEDS[kind]}")
    if kind in COMPILERS:
        if shutil.which(COMPILERS[kind]) is None or shutil.which("make") is None:
            pytest.skip(f"needs {COMPILERS[kind]} and make")
        subprocess.run(["make", "-s", "-C", folder, f"libbasin_{kind}.so"], check=True)
    return package.load_problem(folder / f"basin_{kind}.toml")


@pytest.mark.parametrize("kind", [*ALONE, "joint", "smooth"])
def test_it_passes_check_and_finds_the_truth_within_its_own_uncertainty(folder, kind, tmp_path):
    problem = load(folder, kind)
    assert [str(verdict) for verdict in check_problem(problem).failures] == []
    samples = package.run(problem, output=tmp_path / "run").samples
    names = {"joint": ["depth", "velocity"], "smooth": ["log_depth", "velocity"]}.get(kind, ["depth"])
    truth = {"depth": DEPTH, "velocity": VELOCITY}
    for name in names:
        found = samples[name].stack(sample=("chain", "draw")).values
        mean, sd = found.mean(axis=-1), found.std(axis=-1)
        if name == "log_depth":  # a smooth basin has no steps: it is compared where they are averaged out
            mean, sd, expected = _mean_depth(problem, found)
        else:
            expected = truth[name]
        assert np.all(np.abs(mean - expected) < 3.5 * sd), name
        assert np.all(sd < 0.15 * expected), name


def _mean_depth(problem, log_depth):
    """Mean and standard deviation of the basin's mean depth, and the true one."""
    velocity = np.ones((1, log_depth.shape[1]))
    depth = problem.forward.to_forward(np.concatenate([log_depth, velocity]).T)[:, :-1].mean(axis=1)
    return depth.mean(), depth.std(), DEPTH.mean()


@pytest.mark.parametrize("kind", ALONE[1:])
def test_all_languages_agree(folder, kind):
    reference, problem = package.load_problem(folder / "basin_numpy.toml").forward, load(folder, kind)
    models = problem.sample_prior(20, np.random.default_rng(3))
    tolerance = 1e-6 if kind == "differences" else 1e-11
    np.testing.assert_allclose(problem.forward(models)[0], reference(models)[0], rtol=tolerance)
    np.testing.assert_allclose(problem.forward(models)[1], reference(models)[1], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(problem.forward.simulate(models), reference.simulate(models), rtol=tolerance)


def test_gravity_of_a_wide_basin_is_that_of_a_slab(folder):
    """Bouguer's 2 pi G density depth, far from edges: the physics itself, not our own output."""
    from vip.plugins import find

    settings = {"file": folder / "gravity.csv", "density": -400.0, "columns": 1, "extent": 1.0}
    basin = find("./basin_numpy.py:Basin", folder, "plugin")(**settings)
    basin.x = np.array([[-1e6, 1e6]])
    np.testing.assert_allclose(basin.simulate(np.array([[2.0]])), 2 * np.pi * 6.674e-11 * -400 * 2000 * 1e5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["c", "fortran"])
def test_a_library_that_is_not_built_says_how(folder, kind):
    (folder / f"libbasin_{kind}.so").unlink(missing_ok=True)
    with pytest.raises(ConfigError, match=rf"not built yet: make -C {folder} libbasin_{kind}.so"):
        package.load_problem(folder / f"basin_{kind}.toml")


def test_check_says_what_finite_differences_cost(folder):
    rows = dict(check_problem(load(folder, "differences")).rows())
    assert rows["gradient by finite differences"] == "17 forward runs a gradient"  # 8 columns, both sides, and the middle


# A plugin begun anew


def vip(*arguments, cwd, **environment):
    command = [sys.executable, "-c", "from vip.cli.main import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}, check=False)


def test_a_new_plugin_can_be_installed_found_checked_and_tested(tmp_path):
    written = vip("plugins", "new", "bore_hole", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert "pip install --editable bore_hole" in written.stdout
    site = tmp_path / "site"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "./bore_hole"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Cannot import 'setuptools" in installed.stderr:
        pytest.skip("needs setuptools")
    assert installed.returncode == 0, installed.stderr
    path = os.pathsep.join([str(site), str(ROOT)])
    assert "bore_hole:BoreHole" in vip("plugins", cwd=tmp_path, PYTHONPATH=path).stdout
    assert vip("init", "bore_hole", cwd=tmp_path, PYTHONPATH=path).returncode == 0
    checked = vip("check", "bore_hole.toml", cwd=tmp_path, PYTHONPATH=path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "bore_hole/tests"]
    tested = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


def test_a_new_plugin_replaces_nothing(tmp_path):
    (tmp_path / "borehole").mkdir()
    refused = vip("plugins", "new", "borehole", cwd=tmp_path)
    assert refused.returncode == 1
    assert "borehole: exists" in refused.stderr
    assert list((tmp_path / "borehole").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Bore-Hole", "small letters"),
        ("../up", "small letters"),
        ("lambda", "no word of Python's"),
        ("numpy", "a Python module of this name"),
        ("json", "a Python module of this name"),
        ("tomo2d", "a plugin of this name is installed"),
        (None, "vip plugins new NAME"),
    ],
)
def test_a_name_that_cannot_be_used(tmp_path, name, message):
    refused = vip("plugins", "new", *([name] if name else []), cwd=tmp_path)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
