"""The network of stations as nodes: it gives densities, does not care about order, learns, and goes on when it was killed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.errors import ConfigError
from vip.forward.tomo2d.amortised.examples import draw_examples
from vip.forward.tomo2d.amortised.settings import AmortisedSettings, SurveySettings

torch = pytest.importorskip("torch", reason="the extra 'neural' is not installed")

from vip.forward.neural.training import Kept, resumed, run  # noqa: E402
from vip.forward.tomo2d.amortised.graph_mdn import GraphMDN  # noqa: E402

SURVEYS = SurveySettings(nodes=(4, 4), stations=(6, 6), sigma=(0.02, 0.02), ratio=(2.0, 2.0), white=1.0, uneven=0.0)
SETTINGS = AmortisedSettings(kind="graph-mdn", steps=80, maps=16, step_size=1e-2, data_refinement=2, surveys=SURVEYS)
SIZE = {"layers": ((4, 2), (8, 1)), "hidden": (16,), "after": 24}


def network(**changes):
    return GraphMDN(SETTINGS.model_copy(update=changes), **SIZE)


def examples(n=8, seed=0):
    return draw_examples(SURVEYS, n, 2, np.random.default_rng(seed))


def test_order_and_direction_of_paths_do_not_matter():
    one = examples()
    rng = np.random.default_rng(1)
    order = rng.permutation(len(one.survey.ends))
    ends = np.where(rng.random(len(order))[:, None, None] < 0.5, one.survey.ends, one.survey.ends[:, ::-1])[order]
    other = one._replace(survey=one.survey._replace(ends=ends), times=one.times[:, order], sigma=one.sigma[:, order])
    mdn = network()
    for a, b in zip(mdn.mixture(one), mdn.mixture(other), strict=True):
        assert_allclose(a.detach(), b.detach(), atol=1e-5)


def test_the_mixture_is_a_density():
    """Weights add up to one, and the gain is the logarithm of a mixture of normal densities (eqs. 2 and 3)."""
    from scipy import stats

    mdn, one = network(), examples()
    log_weights, means, sds = (x.detach().numpy() for x in mdn.mixture(one))
    assert_allclose(np.exp(log_weights).sum(axis=1), 1, rtol=1e-5)
    density = np.exp(log_weights) * stats.norm(means, sds).pdf(one.z[:, None]).prod(axis=-1)
    expected = np.log(density.sum(axis=1)) - stats.norm.logpdf(one.z).sum(axis=1)
    assert_allclose(mdn.gain(one).detach(), expected, atol=1e-3)


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    kept = Kept(tmp_path / "state.safetensors", every=4)
    whole, killed, again = network(), network(), network()

    def stop(done, _loss):
        if done == 6:
            raise KeyboardInterrupt

    run(whole, 0, 9)
    with pytest.raises(KeyboardInterrupt):
        run(killed, 0, 9, stop, kept)
    first = resumed(again, 9, kept)
    assert first == 4
    run(again, first, 9)
    for name, weight in whole.weights.items():
        assert torch.equal(weight, again.weights[name]), name


def test_training_gains():
    mdn, test = network(), examples(64, seed=9)
    before = mdn.gain(test).mean().item()
    run(mdn, 0, SETTINGS.steps)
    assert mdn.gain(test).mean().item() > before + 0.1


def test_more_than_one_grid_or_prior_is_refused():
    surveys = SURVEYS.model_copy(update={"nodes": (4, 5)})
    with pytest.raises(ConfigError, match="surveys: graph-mdn: needs one grid and one prior"):
        network(surveys=surveys)
