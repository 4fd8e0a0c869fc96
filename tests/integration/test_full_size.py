"""The published problem at its published size, which takes minutes: `make test-full`."""

import os
from pathlib import Path

import numpy as np
import pytest

import vip

EXAMPLES = Path(__file__).parents[2] / "examples" / "british_isles"

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not os.environ.get("VIP_DATA_DIR"), reason="needs the British Isles data: set VIP_DATA_DIR"),
]


def chi_square(result):
    forward = result.problem.forward
    return np.median(((result.predicted() - forward.observed) / forward.sigma) ** 2)


def test_two_seeds_of_the_british_isles_agree(tmp_path):
    """Where rays cross, independent runs find the same map; where none go, the prior's mean and spread."""
    results = []
    for seed in (1, 2):
        config = tmp_path / f"ssvgd{seed}.toml"
        config.write_text((EXAMPLES / "ssvgd.toml").read_text().replace("seed = 2024", f"seed = {seed}"))
        results.append(vip.run(vip.load_problem(config), tmp_path / f"run{seed}"))
    means, sds = ([getattr(r, what)["velocity"].values for r in results] for what in ("mean", "std"))
    coverage = results[0].problem.forward.coverage(means[0].ravel().astype(float))
    crossed, empty = coverage > 200, coverage == 0
    assert all(chi_square(result) < 1.5 for result in results)
    # Rough models trade off between neighbours, so single nodes differ; the maps' correlation does not forgive a wrong one.
    assert np.corrcoef(means[0][crossed], means[1][crossed])[0, 1] > 0.7
    prior_sd = (4.8 - 1.56) / np.sqrt(12)
    assert np.abs(np.mean([sd[empty].mean() for sd in sds]) / prior_sd - 1) < 0.1
    assert np.abs(np.mean([mean[empty].mean() for mean in means]) - 3.18) < 0.1
