"""examples/association: figures of Shi et al. (2024), with one catalogue for each point."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "association"


@pytest.mark.parametrize("name", sorted(file.stem for file in EXAMPLES.glob("*.py")))
def test_a_figure_and_its_numbers(name, tmp_path):
    """Without noise every pick is right, whatever the order of arrivals."""
    line = [sys.executable, EXAMPLES / f"{name}.py", "--catalogues", "1", "--output", tmp_path / "figure.png"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    rows = re.findall(r"(.*): .*ACC +([\d.]+) %.*ceiling +([\d.]+) %", done.stdout)
    assert len(rows) >= 16
    for what, right, best in rows:
        if " 0.0 s of noise" in what or what == "missing 0%, false 0%":
            assert float(right) == float(best) == 100, what
