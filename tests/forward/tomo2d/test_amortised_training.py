"""Training of the network for any stations: what was killed goes on to the same file, and both libraries give one answer."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.errors import ConfigError
from vip.forward.tomo2d.amortised.examples import draw_examples
from vip.forward.tomo2d.amortised.graph import Prior
from vip.forward.tomo2d.amortised.inference import Network, NoisePrior
from vip.forward.tomo2d.amortised.network import NUMPY, Arrays, Shape, beliefs, layers
from vip.forward.tomo2d.amortised.settings import AmortisedSettings, SurveySettings

torch = pytest.importorskip("torch", reason="the extra 'neural' is not installed")
pytest.importorskip("safetensors", reason="the extra 'neural' is not installed")

from vip.forward.neural import training as loop  # noqa: E402
from vip.forward.tomo2d.amortised.training import Gain, stage_gains, train  # noqa: E402

SURVEYS = SurveySettings(nodes=(5, 6), stations=(6, 8), sigma=(0.01, 0.03), most_paths=20)
TINY = AmortisedSettings(
    steps=8, maps=3, draws=(1, 2), width=6, rounds=1, gates=2, refinement=2, data_refinement=2, checked=3, surveys=SURVEYS
)


class Killed(Exception):
    """The end of a training that was not its own."""


def killed_at(step):
    def progress(done, _loss):
        if done == step:
            raise Killed

    return progress


def content(file):
    """What a file says and its weights to the last bit; the order of its header is safetensors' own."""
    network = Network.load(file)
    return network.about, {name: weight.tobytes() for name, weight in network.weights.items()}


@pytest.mark.parametrize("killed_after", [1, 5, 7])
def test_a_killed_training_goes_on_to_the_same_file(tmp_path, monkeypatch, killed_after):
    monkeypatch.setattr(loop, "EVERY", 3)
    monkeypatch.setattr(loop.Kept, "__new__", lambda cls, file, every=3, of="": tuple.__new__(cls, (file, every, of)))
    whole, again = tmp_path / "whole.safetensors", tmp_path / "again.safetensors"
    train(TINY, whole)
    with pytest.raises(Killed):
        train(TINY, again, killed_at(killed_after))
    assert not again.exists()
    train(TINY, again)
    assert content(again) == content(whole)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.safetensors", "whole.safetensors"]


def test_another_seed_gives_another_network(tmp_path):
    train(TINY, tmp_path / "a.safetensors")
    train(TINY.model_copy(update={"seed": 1}), tmp_path / "b.safetensors")
    a, b = (Network.load(tmp_path / f"{name}.safetensors") for name in "ab")
    assert a.about["first_data"] != b.about["first_data"]
    assert any(not np.allclose(a.weights[name], b.weights[name]) for name in a.weights)


def test_the_file_tells_where_the_network_came_from(tmp_path):
    file = tmp_path / "a.safetensors"
    train(TINY, file)
    about = Network.load(file).about
    assert about["training"]["seed"] == 0
    assert about["surveys"] == json.loads(SURVEYS.model_dump_json())
    assert about["steps_done"] == TINY.steps
    assert len(about["first_data"]) == 64
    assert np.isfinite(about["misfit_limit"])
    further = tmp_path / "b.safetensors"
    train(TINY, further, start=file)
    assert Network.load(further).about["started_from"]["steps_done"] == TINY.steps


def test_a_network_of_another_shape_is_no_start(tmp_path):
    file = tmp_path / "a.safetensors"
    train(TINY, file)
    with pytest.raises(ConfigError, match=r"start: .*: the network to start from must have the shape"):
        train(TINY.model_copy(update={"width": 7}), tmp_path / "b.safetensors", start=file)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_numpy_and_torch_agree(seed):
    """Float32 weights in torch, float64 in NumPy."""
    rng = np.random.default_rng(seed)
    shape = Shape((1, 4, 4), 8, 2, 3, 2)
    weights = {}
    for name, (n_in, n_out, deviation) in layers(shape).items():
        weights[name] = rng.normal(0, deviation or 0.1, (n_in, n_out)).astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.1, (1, n_out)).astype(np.float32)
    survey, z, times, sigma = draw_examples(SURVEYS, 2, 2, rng)
    white = rng.standard_normal((2, 2, z.shape[1]))
    arrays = Arrays(torch, torch.tensor, lambda x: x.detach().numpy())
    tensors = {name: torch.tensor(weight) for name, weight in weights.items()}
    ours = list(beliefs({k: w.astype(float) for k, w in weights.items()}, shape, survey, times, sigma, lambda *_: white, NUMPY))
    theirs = list(beliefs(tensors, shape, survey, times, sigma, lambda *_: white, arrays))
    for (a, _), (b, _) in zip(ours, theirs, strict=True):
        assert_allclose(b.means.numpy(), a.means, atol=1e-5 * np.abs(a.means).max())
        assert_allclose(b.precisions.numpy(), a.precisions, atol=1e-5 * np.abs(a.precisions).max())


def test_training_gains(tmp_path):
    """After a minute's hundredth, on surveys that it has not seen: the first stage has learnt how late bent rays are not."""
    settings = TINY.model_copy(update={"steps": 40, "maps": 8, "step_size": 5e-3})
    test = [draw_examples(SURVEYS, 8, 2, np.random.default_rng(1000 + i)) for i in range(8)]

    def gain(training):
        with torch.no_grad():
            found = [stage_gains(training.weights, training.shape, x, np.random.default_rng(1)) for x in test]
        return np.mean([[float(stage.mean()) for stage in one] for one in found], axis=0)

    training = Gain(settings)
    before = gain(training)
    loop.run(training, 0, settings.steps)
    after = gain(training)
    assert after[0] > before[0] + 0.3
    assert after[-1] > before[-1]


def test_an_unknown_noise_scale_is_found(tmp_path):
    """Data whose noise is twice as large as told: the scale's posterior holds the logarithm of two, not zero."""
    file = tmp_path / "a.safetensors"
    train(TINY, file)
    network = Network.load(file)
    surveys = SURVEYS.model_copy(
        update={"stations": (14, 14), "kept": (1.0, 1.0), "most_paths": 91, "sigma": (0.03, 0.03), "white": 1.0}
    )
    off = []
    for seed in range(6):
        survey, _, times, sigma = draw_examples(surveys, 1, 2, np.random.default_rng(seed))
        mixture, _ = network.map(survey, times[0], sigma[0] / 2, NoisePrior())
        mean, sd = (x[-1] for x in mixture.moments())
        off.append((mean - np.log(2)) / sd)
        assert sd < 0.3
    assert abs(np.mean(off)) < 1.5
    assert max(np.abs(off)) < 4


def test_a_noise_three_times_as_told_is_warned_of(tmp_path):
    """And data that are as they should be are not, but for one in a hundred."""
    file = tmp_path / "a.safetensors"
    train(TINY.model_copy(update={"checked": 60}), file)
    network = Network.load(file)
    told, tripled = 0, 0
    for seed in range(12):
        survey, _, times, sigma = draw_examples(SURVEYS, 1, 2, np.random.default_rng(50 + seed))
        told += any("misfit" in text for text in network.map(survey, times[0], sigma[0])[1])
        tripled += any("misfit" in text for text in network.map(survey, times[0], sigma[0] / 3)[1])
    assert told <= 1
    assert tripled >= 6  # noise hides among 20 paths where these have no other path to be at odds with


def test_what_the_network_was_not_trained_for_is_said(tmp_path):
    file = tmp_path / "a.safetensors"
    train(TINY, file)
    network = Network.load(file)
    survey, _, times, sigma = draw_examples(SURVEYS, 1, 2, np.random.default_rng(3))
    wide = survey._replace(prior=Prior(0.3, 3.0))
    warnings = network.map(wide, times[0], sigma[0])[1]
    assert any(
        "upper over lower bound of the velocity: 10: the network was trained for 1.3 to 2.5" in text for text in warnings
    )
