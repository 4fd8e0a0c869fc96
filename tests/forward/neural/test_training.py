"""The loop of all trainings: what was killed goes on to the same end, and files that are no state are named."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from vip.errors import ConfigError

torch = pytest.importorskip("torch", reason="the extra 'neural' is not installed")
pytest.importorskip("safetensors", reason="the extra 'neural' is not installed")

from vip.forward.neural.device import torch_threads  # noqa: E402
from vip.forward.neural.saved import load_tensors, save_tensors  # noqa: E402
from vip.forward.neural.soap import SOAP  # noqa: E402
from vip.forward.neural.training import Kept, resumed, run  # noqa: E402

STEPS = 40


class Fit:
    """A matrix and a row that learn noisy products."""

    def __init__(self):
        self.random = torch.Generator().manual_seed(3)
        self.weights = [torch.zeros(4, 3, requires_grad=True), torch.zeros(1, 3, requires_grad=True)]
        self.optimiser = SOAP(self.weights)

    def step(self, done):
        x = torch.randn(8, 4, generator=self.random)
        loss = ((x @ self.weights[0] + self.weights[1] - x[:, :3] - 1) ** 2).mean()
        for weight, gradient in zip(self.weights, torch.autograd.grad(loss, self.weights), strict=True):
            weight.grad = gradient
        self.optimiser.step(0.1 * (1 - done))
        return loss.item()

    def state(self):
        weights = {f"weight{i}": weight for i, weight in enumerate(self.weights)}
        return weights | self.optimiser.state() | {"random": self.random.get_state()}

    def restore(self, state):
        for i, weight in enumerate(self.weights):
            weight.data.copy_(state[f"weight{i}"])
        self.optimiser.restore(state)
        self.random.set_state(state["random"])


def weights(training):
    return [weight.detach().numpy() for weight in training.weights]


@pytest.mark.parametrize("killed_after", [1, 7, 25, 39])
def test_a_training_that_is_killed_goes_on_to_the_same_weights(tmp_path, killed_after):
    """To the last bit, and with the losses that it would have had."""
    kept, losses = Kept(tmp_path / "state.safetensors", every=6), {}
    whole = Fit()
    run(whole, 0, STEPS, losses.__setitem__)

    def killed(done, loss):
        if done == killed_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Fit(), 0, STEPS, killed, kept)
    again, found = Fit(), {}
    first = resumed(again, STEPS, kept)
    assert first == killed_after // 6 * 6
    run(again, first, STEPS, found.__setitem__, kept)
    for expected, weight in zip(weights(whole), weights(again), strict=True):
        assert_array_equal(weight, expected)
    assert found == {done: loss for done, loss in losses.items() if done > first}
    assert losses[STEPS] < 0.1 * losses[1]


def test_a_state_of_another_training_is_refused(tmp_path):
    kept = Kept(tmp_path / "state.safetensors", every=6)
    run(Fit(), 0, STEPS, None, kept)
    with pytest.raises(ConfigError, match=r"state\.safetensors: format: vip training 1, 40 steps: expected .*50 steps"):
        resumed(Fit(), 50, kept)
    kept.file.write_bytes(kept.file.read_bytes()[:100])
    with pytest.raises(ConfigError, match=r"state\.safetensors: is no trained network: .*delete it"):
        resumed(Fit(), STEPS, kept)
    assert resumed(Fit(), STEPS, None) == 0


def test_saved_tensors_come_back_and_one_that_is_missing_is_named(tmp_path: Path):
    file = tmp_path / "new" / "a.safetensors"
    save_tensors(file, "test 1", {"n": [1, 2]}, {"a": torch.arange(6.0).reshape(2, 3).T})
    about, tensors = load_tensors(file, "test 1", ["a"])
    assert about == {"n": [1, 2]}
    assert_array_equal(tensors["a"].numpy(), np.arange(6.0).reshape(2, 3).T)
    with pytest.raises(ConfigError, match=r"a\.safetensors: tensors: b, c: missing"):
        load_tensors(file, "test 1", ["a", "b", "c"])
    with pytest.raises(ConfigError, match=r"format: test 1: expected 'test 2'"):
        load_tensors(file, "test 2", ["a"])


def test_threads_are_as_before_even_after_a_fault():
    before, inside = torch.get_num_threads(), []

    def fails():
        with torch_threads(1):
            inside.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert inside == [1]
    assert torch.get_num_threads() == before
