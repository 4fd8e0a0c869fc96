"""The benchmark of posteriors runs, and its targets have the moments that it compares with."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "posteriors"
METHODS = ["ADVI full-rank", "MALA low-rank metric", "HMC", "SVGD"]


def test_a_short_run(tmp_path):
    """Best methods are close after a thousand evaluations of the smallest problem; and SVGD has lost its spread."""
    command = [sys.executable, str(FOLDER), "--short", "--results", str(tmp_path / "results.jsonl")]
    subprocess.run([*command, "--problems", "linear 100", "--methods", *METHODS], check=True, capture_output=True)
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["method"] for line in lines] == ["ADVI full-rank", "SVGD", "MALA low-rank metric", "HMC"]
    errors = {line["method"]: line["sd"] for line in lines}
    assert errors["MALA low-rank metric"] < 0.1
    assert errors["ADVI full-rank"] < 0.15
    assert errors["SVGD"] > 0.2
    subprocess.run([*command, "--figure", str(tmp_path)], check=True, capture_output=True)
    assert "MALA low-rank metric" in (tmp_path / "posterior_benchmark.md").read_text()
    assert (tmp_path / "posterior_benchmark.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["banana", "funnel", "two_modes"])
def test_moments_of_the_densities(name, monkeypatch):
    """By quadrature over the first two entries, to which the others are alike."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import problems

    target = getattr(problems, name)() if name != "funnel" else problems.funnel(d=2)
    axis = np.linspace(-40, 40, 4001)
    first = axis[np.abs(axis) < 9]
    grid = np.stack(np.meshgrid(first, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    value, _ = target.forward(grid)
    weight = np.exp(value - value.max())
    weight /= weight.sum()
    mean = weight @ grid
    np.testing.assert_allclose(mean, target.truth.mean, atol=2e-3)
    np.testing.assert_allclose(np.sqrt(weight @ (grid - mean) ** 2), target.truth.sd, rtol=2e-2)
    point = np.array([[0.3, -0.7]])
    for k, row in enumerate(1e-6 * np.eye(2)):
        difference = (target.forward(point + row)[0] - target.forward(point - row)[0]) / 2e-6
        np.testing.assert_allclose(target.forward(point)[1][:, k], difference, rtol=1e-6)
