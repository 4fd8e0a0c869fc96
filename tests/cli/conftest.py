"""The command line where a user's packages are installed too."""

import os
import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def vip(tmp_path):
    """Run `vip` where the packages of a folder are installed too."""

    def run(*arguments):
        path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "vip", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=120)

    return run


@pytest.fixture
def install(tmp_path):
    """Make a distribution with one module, and entry points of a group, as pip would leave it."""

    def make(name, source, group, **entries):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{entry} = {value}" for entry, value in entries.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))

    return make
