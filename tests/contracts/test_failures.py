"""Failures that happened = failures counted = models kept, for every method."""

import numpy as np
import pytest

import vip
from vip.inference import loop
from vip.methods import BUILT_IN, named

PRIOR = vip.priors.Gaussian.diagonal(np.zeros(4), np.ones(4))
FEW = {"particles": 40}
MORE = {"flow": {"samples_per_step": 8}, "advi": {"samples_per_step": 8}, "tempered": FEW, "nested": FEW}


class Band:
    """A Gaussian that cannot be evaluated where its first parameter lies in a band; it counts how often that happened."""

    def __init__(self):
        self.failed = []

    def __call__(self, models):
        inside = (models[:, 0] > 0.7) & (models[:, 0] < 1.0)
        self.failed += [tuple(model) for model in models[inside]]
        value, gradient = -0.5 * ((models - 1) ** 2).sum(axis=1), 1 - models
        return np.where(inside, np.nan, value), gradient


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_failure_is_counted_and_its_model_is_kept(name):
    if name == "flow":
        pytest.importorskip("zuko")
    settings = named(name)(**(MORE.get(name, {}))).with_iterations(30)
    band = Band()
    problem = vip.make_problem(band, PRIOR, settings, seed=1, on_failure="hold")
    band.failed.clear()  # what the function was tried at
    records = list(vip.steps(problem))
    happened = sorted(band.failed)
    counted = sum(record.more.get("failures", 0) for record in records)
    kept = sorted(tuple(model) for record in records for model in record.failed.models)
    assert happened, "nothing failed: this test says nothing"
    assert counted == len(happened) == sum(len(record.failed.reasons) for record in records)
    np.testing.assert_allclose(kept, happened, rtol=1e-12)


def test_a_run_keeps_them_in_its_directory(tmp_path):
    band = Band()
    problem = vip.make_problem(band, PRIOR, vip.methods.HMC(particles=10), iterations=60, on_failure="hold")
    band.failed.clear()
    result = vip.run(problem, tmp_path / "run")
    files = sorted((tmp_path / "run").glob("failed_models_*.npy"))
    kept = np.concatenate([np.load(file) for file in files])
    assert len(kept) == len(band.failed) == sum(line.get("failures", 0) for line in result.store.metrics())
    assert len(kept) > 100


def test_failures_of_all_calls_of_a_step_are_remembered():
    """Not those of the last call alone."""

    def density(theta):
        return vip.protocols.Evaluated(
            np.zeros(len(theta)), np.zeros(theta.shape), failures={0: "no"} if theta[0, 0] > 0 else {}
        )

    watched = loop.Watched(density)
    watched(np.ones((2, 3)))
    watched(np.full((2, 3), 5.0))
    watched(-np.ones((2, 3)))
    assert watched.failed[:, 0].tolist() == [1.0, 5.0]
    assert watched.reasons == ("no", "no")
    assert watched.evaluations == 6
