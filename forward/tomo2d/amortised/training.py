"""Training of a network on surveys that are simulated as it goes on, so that none is seen twice."""

from __future__ import annotations

import hashlib
import math
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from vip.errors import ConfigError
from vip.forward.neural.device import torch_threads
from vip.forward.neural.saved import save_tensors
from vip.forward.neural.soap import SOAP
from vip.forward.neural.training import Kept, Progress, resumed, run
from vip.forward.tomo2d.amortised.checks import standard_misfit
from vip.forward.tomo2d.amortised.examples import Examples, draw_examples
from vip.forward.tomo2d.amortised.graph_mdn import MDN_FORMAT, GraphMDN
from vip.forward.tomo2d.amortised.inference import FORMAT, Network
from vip.forward.tomo2d.amortised.network import Arrays, Shape, beliefs, layers, log_density
from vip.forward.tomo2d.amortised.settings import AmortisedSettings
from vip.protocols import Floats
from vip.rng import Purpose, stream

WARM_UP = 0.03
"""Part of the steps over which their size rises; afterwards it falls as a cosine."""
AT_LAST = 1e-2
"""Size of the last step, over that of the largest."""
EARLY = 0.2
"""Weight of the loss of each stage but the last."""
LONGEST = 5.0
"""Longest gradient, over its mean length so far: a few surveys that go wrong would undo many steps."""
CURVE = 50
"""Number of parts of the training for which the mean gain is kept."""


class Gain:
    """Training of the network of paths and cells; the loss is minus the gain over the prior at the truth, in nats a path.

    Parameters
    ----------
    settings : AmortisedSettings
    start : Network, optional
        Network from whose weights the training starts, instead of random ones.

    Raises
    ------
    ConfigError
        If the network to start from has another shape.
    """

    def __init__(self, settings: AmortisedSettings, start: Network | None = None) -> None:
        import torch

        self.settings = settings
        self.shape = Shape(settings.draws, settings.width, settings.rounds, settings.gates, settings.refinement)
        self.weights = _untrained(self.shape, torch.Generator().manual_seed(settings.seed))
        self.started_from: Mapping[str, Any] = {}
        if start is not None:
            _start_from(self.weights, start)
            self.started_from = start.about
        self.optimiser = SOAP(self.weights.values())
        self.step_number = torch.zeros(1, dtype=torch.int64)
        self.length = torch.zeros(1)
        self.curve = torch.zeros(2, CURVE)

    def step(self, done: float) -> float:
        """Do one step, before which the part `done` of all steps is done; return the loss before the step."""
        import torch

        rng = stream(self.settings.seed, int(self.step_number.item()), Purpose.SIMULATE)
        examples = draw_examples(self.settings.surveys, self.settings.maps, self.settings.data_refinement, rng)
        gains = stage_gains(self.weights, self.shape, examples, rng)
        per_path = [gain.mean() / min(len(examples.survey.ends), examples.z.shape[1]) for gain in gains]
        loss = -(per_path[-1] + EARLY * sum(per_path[:-1]))
        gradients = torch.autograd.grad(loss, list(self.weights.values()))
        self._limit(gradients)
        for weight, gradient in zip(self.weights.values(), gradients, strict=True):
            weight.grad = gradient
        self.optimiser.step(self.settings.step_size * _pace(done))
        self.step_number += 1
        gain = float(gains[-1].mean().item())
        self.curve[:, int(done * CURVE)] += torch.tensor([gain, 1.0])
        return -gain

    def _limit(self, gradients: Any) -> None:
        """Shorten a gradient that is much longer than those before it."""
        length = math.sqrt(sum(float((g**2).sum()) for g in gradients))
        mean = float(self.length.item()) or length
        shortened = min(1.0, LONGEST * mean / max(length, 1e-30))
        for g in gradients:
            g.mul_(shortened)
        self.length.fill_(0.98 * mean + 0.02 * length * shortened)

    def state(self) -> dict[str, Any]:
        """All that the next step depends on, as tensors by name."""
        optimiser = {f"optimiser.{name}": tensor for name, tensor in self.optimiser.state().items()}
        return self.weights | optimiser | {"step_number": self.step_number, "length": self.length, "curve": self.curve}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name, tensor in self.weights.items():
            tensor.data.copy_(state[name])
        self.optimiser.restore({name.removeprefix("optimiser."): tensor for name, tensor in state.items()})
        for name, tensor in (("step_number", self.step_number), ("length", self.length), ("curve", self.curve)):
            tensor.copy_(state[name])


def stage_gains(weights: Mapping[str, Any], shape: Shape, examples: Examples, rng: np.random.Generator) -> list[Any]:
    """Log-density of the true models over that of the prior (n,), nats, after each stage, as tensors."""
    import torch

    arrays = Arrays(torch, torch.tensor, lambda x: x.detach().numpy())
    survey, z, times, sigma = examples
    survey = survey._replace(grid=replace(survey.grid, refinement=shape.refinement))
    z = torch.tensor(z)
    covariance = survey.prior.covariance(survey.grid)
    root = torch.tensor(np.linalg.cholesky(np.linalg.inv(covariance)))
    prior = torch.log(root.diagonal()).sum() - 0.5 * ((z @ root) ** 2).sum(-1) - 0.5 * z.shape[1] * math.log(2 * math.pi)

    def noise(_stage: int, k: int) -> Floats:
        return rng.standard_normal((len(z), k, z.shape[1]))

    return [log_density(b, z, torch) - prior for b, _ in beliefs(weights, shape, survey, times, sigma, noise, arrays)]


def train(
    settings: AmortisedSettings,
    file: Path,
    progress: Progress | None = None,
    start: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> bool:
    """Train a network on one core, and write it to a file with the record of its training; return whether it is done.

    The state is kept beside the file while the training goes on, so that one that was killed goes on to the same network.

    Parameters
    ----------
    settings : AmortisedSettings
    file : Path
        File to write; NAME.safetensors has its state in NAME.state.safetensors until it is done.
    progress : callable, optional
        Called after each step, with the number of steps done and minus the gain of its surveys, nats.
    start : Path, optional
        Trained network that is trained on, instead of one with random weights.
    stop : callable, optional
        Asked after each step whether to stop; the state is then kept, and the same call goes on.

    Raises
    ------
    ConfigError
        If the state is damaged or that of another training, such as one with other settings.
    VIPError
        If a file cannot be written.
    """
    digest = hashlib.sha256(f"{settings.model_dump_json()} {start}".encode()).hexdigest()
    kept = Kept(file.with_suffix(".state.safetensors"), of=f"settings {digest[:8]}")
    with torch_threads(1):  # sums depend on the number of threads
        training = _begin(settings, start)
        if not run(training, resumed(training, settings.steps, kept), settings.steps, progress, kept, stop):
            return False
        save(training, file)
    kept.file.unlink(missing_ok=True)
    return True


def _begin(settings: AmortisedSettings, start: Path | None) -> Gain | GraphMDN:
    """A training of the kind that is asked for."""
    if settings.kind == "rays":
        return Gain(settings, Network.load(start) if start else None)
    if start is not None:
        raise ConfigError("start", start, "a graph-mdn starts from random weights; leave it out")
    return GraphMDN(settings)


def save(training: Gain | GraphMDN, file: Path) -> None:
    """Write the network of a training, with what is needed to use it and to know where it came from."""
    tensors = {name: weight.detach().float() for name, weight in training.weights.items()}
    about: dict[str, Any] = {
        "kind": training.settings.kind,
        "surveys": training.settings.surveys.model_dump(),
        "training": training.settings.model_dump(exclude={"surveys"}),
        "steps_done": int(training.step_number.item()),
        "version": version("vip-inversion"),
        "commit": _commit(),
        "first_data": _checksum(training.settings),
    }
    if isinstance(training, Gain):
        network = Network(training.shape, {name: tensor.numpy() for name, tensor in tensors.items()}, {})
        about |= {
            "shape": training.shape._asdict(),
            "curve": [round(float(gain / max(steps, 1)), 2) for gain, steps in training.curve.T],
            "misfit_limit": _misfit_limit(network, training.settings),
            "started_from": training.started_from,
        }
    else:
        about["shape"] = {"layers": training.layers, "hidden": training.hidden, "after": training.after}
    save_tensors(file, FORMAT if isinstance(training, Gain) else MDN_FORMAT, about, tensors)


def _misfit_limit(network: Network, settings: AmortisedSettings) -> float:
    """The standardised misfit that 1 % of simulated surveys exceed."""
    found = []
    for i in range(settings.checked):
        rng = stream(settings.seed, i, Purpose.CHECK)
        survey, _, times, sigma = draw_examples(settings.surveys, 1, settings.data_refinement, rng)
        survey = survey._replace(grid=replace(survey.grid, refinement=network.shape.refinement))
        answer = network.answer(survey, times[0], sigma[0], np.zeros(1))
        found.append(standard_misfit(times[0], sigma[0], answer.line, 0, answer.covariance))
    return round(float(np.quantile(found, 0.99)), 2)


def _checksum(settings: AmortisedSettings) -> str:
    """Digest of the first step's data, to six digits: the same settings on another machine should make the same."""
    rng = stream(settings.seed, 0, Purpose.SIMULATE)
    times = draw_examples(settings.surveys, settings.maps, settings.data_refinement, rng).times
    return hashlib.sha256(" ".join(f"{time:.6g}" for time in times.ravel()).encode()).hexdigest()


def _commit() -> str:
    """Commit of the source tree, or nothing if it is an installed package."""
    git = shutil.which("git")
    if git is None:
        return ""
    words = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _pace(done: float) -> float:
    """Size of a step over the largest, when the part `done` of all steps is done."""
    return min(1.0, done / WARM_UP + AT_LAST) * max(AT_LAST, (1 + math.cos(math.pi * done)) / 2)


def _untrained(shape: Shape, random: Any) -> dict[str, Any]:
    """Random weights, except for the outputs: the network begins as linearised inversions without corrections."""
    import torch

    weights = {}
    for name, (n_in, n_out, deviation) in layers(shape).items():
        weight = deviation * torch.randn(n_in, n_out, generator=random)
        if name.endswith("cell.out"):  # a product of two zeros would never change
            weight[:, 3:] = torch.randn(n_in, shape.gates, generator=random) / math.sqrt(n_in)
        weights[name] = weight.requires_grad_()
        weights[f"{name}.bias"] = torch.zeros(1, n_out, requires_grad=True)
    return weights


def _start_from(weights: Mapping[str, Any], network: Network) -> None:
    """Put the weights of a network in place of others."""
    import torch

    shapes, wanted = ({name: tuple(w.shape) for name, w in of.items()} for of in (network.weights, weights))
    if shapes != wanted:
        raise ConfigError("start", network.shape, "the network to start from must have the shape that the settings give")
    for name, weight in weights.items():
        weight.data.copy_(torch.tensor(network.weights[name]))
