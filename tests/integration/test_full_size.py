"""The published problems at their published size, which takes minutes: `make test-full`."""

import os
from pathlib import Path

import numpy as np
import pytest

import vip

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not os.environ.get("VIP_DATA_DIR"), reason="needs the data sets: set VIP_DATA_DIR"),
]


def chi_square(result):
    forward = result.problem.forward
    return np.median(((result.predicted() - forward.observed) / forward.sigma) ** 2)


def test_two_seeds_of_the_british_isles_agree(tmp_path):
    """Where rays cross, independent runs find the same map; where none go, the prior's mean and spread."""
    results = []
    for seed in (1, 2):
        config = tmp_path / f"ssvgd{seed}.toml"
        config.write_text((EXAMPLES / "british_isles" / "ssvgd.toml").read_text().replace("seed = 2024", f"seed = {seed}"))
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


def test_gradient_of_the_published_marmousi_set_up(tmp_path):
    """In single precision, at a model of the prior, against central differences in double."""
    text = (EXAMPLES / "marmousi" / "ssvgd.toml").read_text()
    precise = tmp_path / "precise.toml"
    precise.write_text(text.replace('plugin = "fwi2d"', 'plugin = "fwi2d"\nprecision = "float64"'))
    single, double = vip.load_problem(EXAMPLES / "marmousi" / "ssvgd.toml"), vip.load_problem(precise)
    rng = np.random.default_rng(0)
    model = double.sample_prior(1, rng)
    direction = rng.standard_normal(model.shape[1])
    ahead, behind = (double.forward(model + step * direction)[0][0] for step in (0.01, -0.01))
    expected = (ahead - behind) / 0.02
    assert double.forward(model)[1][0] @ direction == pytest.approx(expected, rel=1e-5)
    assert single.forward(model)[1][0] @ direction == pytest.approx(expected, rel=1e-3)
