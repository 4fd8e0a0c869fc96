"""Training of an EikoNet on the eikonal equation, |grad T| = s at both ends of every pair of places, without travel times."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np

from vip.forward.earthquakes.traveltimes.eikonet.network import HIDDEN, WIDTH, EikoNet, Medium, Shape
from vip.forward.neural.device import best_device, torch_threads
from vip.forward.neural.soap import SOAP
from vip.forward.neural.training import Kept, Progress, resumed, run

STEPS = 3000
BATCH = 2048
"""Number of pairs of places in a step, drawn anew for each step."""
STEP_SIZE = 1e-2
WARM_UP = 0.03
"""Part of the steps over which their size rises; afterwards it falls as a cosine."""
AT_LAST = 1e-3
"""Size of the last step, over that of the largest."""
NEAREST = 0.1
"""Shortest distance of pairs, over the shortest length at which the network distinguishes directions."""
FAR, CLOSE = 0.5, 0.1
"""Part of the pairs whose horizontal distances are drawn evenly, while the others have even logarithms; and part of the pairs
that are about as far apart in depth as horizontally."""
FOR_SCALES = 16384
"""Number of pairs from which the means and standard deviations of features are taken."""
STARTS, TRIED = 3, 0.1
"""Number of networks that are begun, and the part of the steps after which the best goes on: some stay at several times the
misfit of others, with times that are wrong by 1 %, and this shows early."""
SLOW_START = 3.0
"""Start of the sigmoid: times that are too long become first arrivals, those that are too short may become no arrivals."""

RECIPE = (WIDTH, HIDDEN, BATCH, STEP_SIZE, WARM_UP, AT_LAST, NEAREST, FAR, CLOSE, STARTS, TRIED, SLOW_START)
"""Version of the recipe: if it changes, networks of the same medium, steps and seed differ."""


def train(
    medium: Medium,
    phase: str,
    *,
    seed: int = 0,
    steps: int = STEPS,
    batch: int = BATCH,
    progress: Progress | None = None,
    kept: Path | None = None,
) -> EikoNet:
    """Train a network of the travel times of one phase in a medium, on a GPU if there is one, else on one core.

    Parameters
    ----------
    medium : Medium
    phase : str
        Name of the phase, which is kept with the network.
    seed : int
        The same seed makes the same network on the same kind of processor.
    steps : int
    batch : int
        Number of pairs of places in each step.
    progress : callable, optional
        Called after each step of the network that goes on, with the number of steps done and the root mean square of
        v^2 |grad T|^2 - 1.
    kept : Path, optional
        File of the state from which a training that was killed goes on to the same network; deleted by the caller.
    """
    device = best_device()
    slowness = medium.slowness.astype(np.float32)
    bounds = (float(slowness.min()), float(slowness.max()))
    shape = Shape(np.asarray(medium.lower, float), np.asarray(medium.upper, float), bounds, medium.layered, phase)
    first = max(1, round(TRIED * steps))
    with torch_threads(1):  # matrices are small, and sums depend on the number of threads
        best = _Training(shape, slowness, batch, device, STARTS * seed)
        where = Kept(kept) if kept else None
        done = resumed(best, steps, where)
        if not done:
            others = (_Training(shape, slowness, batch, device, STARTS * seed + i) for i in range(1, STARTS))
            best = min([best, *others], key=lambda start: np.mean([start.step(i / steps) for i in range(first)][first // 2 :]))
            done = first
        run(best, done, steps, progress and (lambda step, loss: progress(step, math.sqrt(loss))), where)
    return EikoNet(shape, {name: tensor.detach() for name, tensor in best.network.tensors.items()})


class _Training:
    """A network that starts from random weights, with its optimiser."""

    def __init__(self, shape: Shape, slowness: Any, batch: int, device: Any, seed: int) -> None:
        import torch

        self.random = torch.Generator(device).manual_seed(seed)
        self.slowness, self.batch = torch.tensor(slowness, device=device), batch
        self.network = _untrained(shape, self.slowness, self.random)
        self.weights = [tensor for tensor in self.network.tensors.values() if tensor.requires_grad]
        self.optimiser = SOAP(self.weights)

    def step(self, done: float) -> float:
        """Do one step, before which the part `done` of all steps is done; return the misfit before the step."""
        import torch

        loss = misfit(self.network, self.slowness, *_pairs(self.network.shape, self.batch, self.random))
        for weight, gradient in zip(self.weights, torch.autograd.grad(loss, self.weights), strict=True):
            weight.grad = gradient
        self.optimiser.step(STEP_SIZE * _pace(done))
        return float(loss.item())

    def state(self) -> dict[str, Any]:
        """All that the next step depends on, as tensors by name."""
        optimiser = {f"optimiser.{name}": tensor for name, tensor in self.optimiser.state().items()}
        return self.network.tensors | optimiser | {"random": self.random.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name, tensor in self.network.tensors.items():
            tensor.data.copy_(state[name])
        self.optimiser.restore({name.removeprefix("optimiser."): tensor for name, tensor in state.items()})
        self.random.set_state(state["random"].cpu())


def misfit(network: EikoNet, slowness: Any, a: Any, b: Any) -> Any:
    """Mean square of v^2 |grad T|^2 - 1 (the Hamiltonian form, Grubas et al. 2023, eq. 9) at places a and b (3, n)."""
    import torch

    a, b = a.requires_grad_(), b.requires_grad_()
    gradients = torch.autograd.grad(network.time(a, b).sum(), (a, b), create_graph=True)
    ends = zip(gradients, (a, b), strict=True)
    wrong = [(by**2).sum(dim=0) / _at(slowness, network.shape, end.detach()) ** 2 - 1 for by, end in ends]
    return (torch.cat(wrong) ** 2).mean()


def _pace(done: float) -> float:
    """Size of a step over the largest, when the part `done` of all steps is done."""
    return min(1.0, done / WARM_UP + AT_LAST) * max(AT_LAST, (1 + math.cos(math.pi * done)) / 2)


def _untrained(shape: Shape, slowness: Any, random: Any) -> EikoNet:
    """A network with random weights such that a layer keeps the variance; features are centred and scaled."""
    import torch

    network = EikoNet(shape, {"profile": slowness.mean(dim=(0, 1))})
    features, _ = network.features(*_pairs(shape, FOR_SCALES, random))
    least, most = features.aminmax(dim=1, keepdim=True)
    centre, scale = (least + most) / 2, (most - least).clamp(min=1e-6) / 2
    sizes = [len(features), *[WIDTH] * HIDDEN, 1]
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        last = layer == HIDDEN
        weight = torch.randn(n_out, n_in, generator=random, device=slowness.device) * ((0.1 if last else 1) / math.sqrt(n_in))
        bias = torch.randn(n_out, 1, generator=random, device=slowness.device) * 0.3
        network.tensors[f"weight{layer}"] = weight.requires_grad_()
        network.tensors[f"bias{layer}"] = (torch.full_like(bias, SLOW_START) if last else bias).requires_grad_()
    network.tensors |= {"centre": centre, "scale": scale}
    return network


def _pairs(shape: Shape, n: int, random: Any) -> tuple[Any, Any]:
    """Places a and b (3, n) within the box, with all distances well represented, since errors are relative."""
    import torch

    even = torch.rand(8, n, generator=random, device=random.device)
    lower, upper = (even.new_tensor(end)[:, None] for end in (shape.lower, shape.upper))
    least, reach = NEAREST * shape.lengths[0], shape.reach
    across = torch.where(even[0] < FAR, reach * even[1], least * (reach / least) ** even[1])
    azimuth, downwards = 2 * math.pi * even[2], across * (2 * even[3] - 1)
    a, anywhere = lower + (upper - lower) * even[4:7], lower[2] + (upper[2] - lower[2]) * even[3]
    depth = torch.where(even[7] < CLOSE, a[2] + downwards, anywhere)
    b = torch.stack([a[0] + across * torch.cos(azimuth), a[1] + across * torch.sin(azimuth), depth])
    inside = lower + (upper - lower) * _folded((b - lower) / (upper - lower))
    return a, torch.cat([b[:2], inside[2:]]) if shape.layered else inside


def _folded(share: Any) -> Any:
    """Numbers folded into the range 0 to 1, as by mirrors at both ends."""
    return 1 - (share.remainder(2) - 1).abs()


def _at(slowness: Any, shape: Shape, places: Any) -> Any:
    """Trilinear slownesses (n,), s/km, at places (3, n)."""
    lower, upper, last = (places.new_tensor(v)[:, None] for v in (shape.lower, shape.upper, np.array(slowness.shape) - 1.0))
    at = ((places - lower) / (upper - lower)).clamp(0, 1) * last
    cell = at.floor().minimum((last - 1).clamp(min=0))
    beyond, cell = at - cell, cell.long()
    total = 0
    for corner in itertools.product(*[(0, 1) if n > 1 else (0,) for n in slowness.shape]):
        weights = [share if up else 1 - share for up, share in zip(corner, beyond, strict=True)]
        x, y, z = (first + up for up, first in zip(corner, cell, strict=True))
        total = total + weights[0] * weights[1] * weights[2] * slowness[x, y, z]
    return total
