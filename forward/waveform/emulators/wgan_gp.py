"""WGAN-GP: generator of a Wasserstein adversarial network with gradient penalty (Spurio Mancini et al. 2021, sec. 2.2.7).

The critic's value is linear, as in Gulrajani et al. (2017): the logarithms of the paper's eq. 11 are not those of a Wasserstein
distance, and its text and appendix C say that it is one.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.layers import through, untrained
from vip.forward.waveform.emulators.learning import BATCH, MOST, Fitting, learn
from vip.forward.waveform.emulators.training import prepared
from vip.protocols import Floats

HIDDEN = (64, 128, 256)
"""Numbers of neurons of the generator; the critic has them the other way round."""
NOISE = 64
"""Number of random numbers, even between -1 and 1, that enter the generator besides the place."""
PENALTY = 10.0
CRITIC_STEPS = 100
"""Number of steps of the critic for each step of the generator."""
BETAS = (0.5, 0.9)
"""Decays of Adam that Gulrajani et al. recommend."""


class Generator(Emulator):
    """A generator of the place and of random numbers, which are at their mean, zero, so that a place has one trace."""

    method = "wgan_gp"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        import torch

        noise = inputs.new_zeros(len(inputs), NOISE)
        found = through("generator", self.tensors, torch.cat([noise, inputs], 1))
        return self.tensors["mean"] + self.tensors["spread"] * found


class _Game(Fitting):
    """Critic and generator in turn; an epoch is one step of the generator."""

    def __init__(self, start: Any, inputs: Any, data: Any, seed: int, critic_steps: int) -> None:
        super().__init__(start, self._held_out, len(inputs), seed)
        self.inputs, self.data, self.critic_steps = inputs, data, critic_steps
        sides = [[t for name, t in self.tensors.items() if name.startswith(side)] for side in ("critic", "generator")]
        self.sides = sides
        for group in self.optimiser.param_groups:
            group["betas"] = BETAS

    def step(self, done: float) -> float:
        """Do the critic's steps and one of the generator; return the mean square of what is wrong in the rows held out."""
        import torch

        batches = self._batches()
        for rows in itertools.islice(batches, self.critic_steps):
            self._update(0, self._critic_loss(rows))
        self._update(1, -self._judged(self._made(rows := next(batches)), rows).mean())
        with torch.no_grad():
            held = float(self.loss(self.tensors, self.held, None))
        if held < self.least:
            self.least = held
            for name, tensor in self.tensors.items():
                self.best[name].copy_(tensor.detach())
        return held

    def _batches(self) -> Any:
        import torch

        while True:
            yield self.rows[torch.randint(len(self.rows), (BATCH,), generator=self.random)]

    def _update(self, side: int, loss: Any) -> None:
        """One step of Adam for one side: the other has no gradients, and Adam passes it over."""
        import torch

        self.optimiser.zero_grad(set_to_none=True)
        for tensor, gradient in zip(self.sides[side], torch.autograd.grad(loss, self.sides[side]), strict=True):
            tensor.grad = gradient
        self.optimiser.step()

    def _made(self, rows: Any) -> Any:
        import torch

        noise = 2 * torch.rand(len(rows), NOISE, generator=self.random) - 1
        return through("generator", self.tensors, torch.cat([noise, self.inputs[rows]], 1))

    def _judged(self, shapes: Any, rows: Any) -> Any:
        import torch

        return through("critic", self.tensors, torch.cat([shapes, self.inputs[rows]], 1))

    def _critic_loss(self, rows: Any) -> Any:
        import torch

        real, made = self.data[rows], self._made(rows).detach()
        share = torch.rand(len(rows), 1, generator=self.random)
        between = (share * real + (1 - share) * made).requires_grad_()
        (slope,) = torch.autograd.grad(self._judged(between, rows).sum(), between, create_graph=True)
        penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
        return self._judged(made, rows).mean() - self._judged(real, rows).mean() + PENALTY * penalty

    def _held_out(self, tensors: Any, rows: Any, random: Any) -> Any:
        import torch

        noise = torch.zeros(len(rows), NOISE)
        return ((through("generator", tensors, torch.cat([noise, self.inputs[rows]], 1)) - self.data[rows]) ** 2).mean()


def fit(
    positions: Floats,
    traces: Floats,
    receiver: Floats,
    seed: int = 0,
    *,
    whole: bool = False,
    epochs: int = MOST,
    kept: Path | None = None,
    progress: Progress | None = None,
    critic_steps: int = CRITIC_STEPS,
) -> Generator:
    """Train on traces (n, samples) of sources at positions (n, 3), m; an epoch is a step of the generator."""
    import torch

    ready = prepared(positions, traces, receiver, seed, whole)
    inputs, shapes = ready.tensors["inputs"].float(), ready.shapes
    mean, spread = shapes.mean(), shapes.std()
    random, size = torch.Generator().manual_seed(seed), shapes.shape[1]
    start = untrained("generator", (NOISE + inputs.shape[1], *HIDDEN, size), random)
    start |= untrained("critic", (size + inputs.shape[1], *HIDDEN[::-1], 1), random)
    game = _Game(start, inputs, (shapes - mean) / spread, seed, critic_steps)
    trained = learn(game, epochs, "wgan_gp", kept, progress)
    generator = {name: tensor for name, tensor in trained.items() if name.startswith("generator")}
    return Generator(ready.about, ready.tensors | generator | {"mean": mean, "spread": spread})
