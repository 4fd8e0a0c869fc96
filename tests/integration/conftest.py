"""Runs of a forward that gets into trouble, and what of them must not depend on that."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vip
from vip.config import DispatchSettings
from vip.runs.store import Store

CONFIG = """
seed = 11

[forward]
plugin = "./troubled_forward.py:Troubled"
{forward}

[prior.x]
kind = "uniform"
lower = -20.0
upper = 20.0

[algorithm]
name = "ssvgd"
particles = 20
iterations = {iterations}
burn_in = 4
step_size = 0.1

[run]
checkpoint_seconds = 0.01
{run}
"""


class Troubled:
    """A folder with the troubled forward and configurations of it."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copy(Path(__file__).with_name("troubled_forward.py"), folder)

    def config(self, iterations=12, run="", **forward):
        """A configuration file."""
        lines = "\n".join(f"{key} = {value!r}" for key, value in forward.items())
        file = self.folder / "troubled.toml"
        file.write_text(CONFIG.format(forward=lines, iterations=iterations, run=run))
        return file

    def run(self, name, tell=lambda progress: None, iterations=12, run="", dispatch=None, **forward):
        """Run in this process; without dispatch settings serially, without trouble. The result."""
        settings = DispatchSettings(**({"kind": "serial"} | (dispatch or {})))
        problem = vip.load_problem(self.config(iterations, run, **forward))
        return vip.run(problem, self.folder / name, tell=tell, dispatch=settings)

    def samples(self, name):
        """All samples of a finished run (iterations, particles, parameters)."""
        store = Store(self.folder / name)
        assert store.checkpoint().status == "finished"
        return np.concatenate([stretch.models for stretch in store.samples()])

    def log(self, name):
        return (self.folder / name / "run.log").read_text()


@pytest.fixture
def troubled(tmp_path):
    return Troubled(tmp_path)


@pytest.fixture
def command():
    """The `vip` command as a user has it: (arguments) -> completed process."""

    def run(*arguments, before=(), **options):
        line = [*before, sys.executable, "-m", "vip", *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, **options)

    return run
