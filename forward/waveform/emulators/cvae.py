"""CVAE: the decoder of a conditional variational autoencoder (Spurio Mancini et al. 2021, sec. 2.2.6 and appendix B)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.layers import LEAK, through, untrained
from vip.forward.waveform.emulators.learning import MOST, Fitting, learn
from vip.forward.waveform.emulators.training import prepared
from vip.protocols import Floats

HIDDEN = (256, 128, 64)
"""Numbers of neurons of the encoder, towards the centre; the decoder has them the other way round."""
CODES = 5
SPREAD = 1e-3
"""Standard deviation of the codes, both of the prior and of the encoder."""


class ConditionalDecoder(Emulator):
    """A decoder of the place and of codes, which are at the mean of their prior, zero."""

    method = "cvae"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        import torch

        codes = inputs.new_zeros(len(inputs), CODES)
        return through("decoder", self.tensors, torch.cat([codes, inputs], 1))


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
) -> ConditionalDecoder:
    """Train on traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    import torch

    ready = prepared(positions, traces, receiver, seed, whole)
    inputs, shapes = ready.tensors["inputs"].float(), ready.shapes
    random, size = torch.Generator().manual_seed(seed), shapes.shape[1]
    start = untrained("encoder", (size, *HIDDEN), random)
    start |= untrained("centre", (HIDDEN[-1] + inputs.shape[1], CODES), random)
    start |= untrained("decoder", (CODES + inputs.shape[1], *HIDDEN[::-1], size), random)
    # The paper weighs squares of traces that are as high as its reference against the divergence of the codes.
    weight = 1 / ready.height**2

    def loss(tensors: Any, rows: Any, random: Any) -> Any:
        hidden = torch.nn.functional.leaky_relu(through("encoder", tensors, shapes[rows]), LEAK)
        codes = through("centre", tensors, torch.cat([hidden, inputs[rows]], 1))
        divergence = (codes**2).sum(1).mean() / (2 * SPREAD**2)
        drawn = 0 * codes if random is None else codes + SPREAD * torch.randn(codes.shape, generator=random)
        wrong = through("decoder", tensors, torch.cat([drawn, inputs[rows]], 1)) - shapes[rows]
        # Rows held out are predicted as new places are.
        return (wrong**2).mean() + (0 if random is None else weight * divergence)

    trained = learn(Fitting(start, loss, len(inputs), seed), epochs, "cvae", kept, progress)
    decoder = {name: tensor for name, tensor in trained.items() if name.startswith("decoder")}
    return ConditionalDecoder(ready.about, ready.tensors | decoder)
