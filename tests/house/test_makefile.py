"""When make builds the native code, which takes minutes, and when it does not; and what workflows ask of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="no make here")


def installs(*arguments):
    """How often make would install the package, and so build it; nothing is done."""
    done = subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout
    return done.stdout.count("pip install")


@pytest.fixture
def built(tmp_path):
    """A virtual environment for make that everything is installed into."""
    (tmp_path / "bin").mkdir()
    for name in ("bin/python", "installed", "installed-dev", "installed-docs"):
        (tmp_path / name).touch()
    return f"VENV={tmp_path}"


@pytest.mark.parametrize("target", ["build", "demo", "test", "lint", "docs"])
def test_one_build(target, tmp_path):
    assert installs(target, f"VENV={tmp_path / 'new'}", f"DEMO={tmp_path / 'demo'}") == 1


@pytest.mark.parametrize("target", ["build", "demo", "test", "lint", "docs"])
def test_no_second_build(target, built):
    assert installs(target, built) == 0


@pytest.mark.parametrize(
    "file", ["kernels_c/edt/edt.c", "kernels_c/simd.h", "kernels_c/edt/_edt.pyx", "setup.py", "pyproject.toml"]
)
def test_a_changed_source_is_built(file, built):
    assert installs("test", built, f"--what-if={file}") == 1


def test_what_cython_writes_is_no_source(built):
    assert installs("test", built, "--what-if=kernels_c/edt/_edt.c") == 0


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_make_what_there_is(file, built):
    steps = [step for job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values() for step in job["steps"]]
    for target in re.findall(r"\bmake ([\w-]+)", "\n".join(step.get("run", "") for step in steps)):
        installs(target, built)  # make fails on a target that it does not know
