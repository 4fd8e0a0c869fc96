"""The script of table 1, in its short form, on the traces of the paper's authors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

SCRIPT = Path(__file__).parents[3] / "examples" / "waveform" / "table1" / "table1.py"


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", **environment},
    )


def test_a_row_is_trained_once_and_the_table_is_printed(tmp_path):
    if not (Path(os.environ.get("VIP_DATA_DIR", "")) / "seismoml" / "das18_receiver0.npz").is_file():
        pytest.skip("VIP_DATA_DIR does not hold seismoml, the traces of the paper's authors")
    asked = ("--short", "--out", tmp_path / "out", "--methods", "pca_nn", "scattered")
    first, again = run(*asked), run(*asked)
    assert first.returncode == 0, first.stderr
    assert "pca_nn, seed 0: R2D" in first.stdout
    assert "seed 0" not in again.stdout
    rows = [line for line in again.stdout.splitlines() if line.startswith("|")]
    assert rows == first.stdout.splitlines()[-len(rows) :]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| scattered", "| pca_nn"]
    assert float(rows[2].split(" | ")[2]) > 0.9  # from sixty traces
    assert (tmp_path / "out" / "table1.png").stat().st_size > 10_000


def test_without_the_data_it_says_where_they_should_be(tmp_path):
    refused = run("--out", tmp_path, VIP_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert (
        refused.stderr == "table1: VIP_DATA_DIR does not hold seismoml/das18_receiver0.npz, the traces of the paper's authors\n"
    )
