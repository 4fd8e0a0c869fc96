"""Autoencoder of shapes (Spurio Mancini et al. 2021, sec. 2.2.4): encoder and decoder are trained to give back what came in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators.layers import through, untrained
from vip.forward.waveform.emulators.learning import Fitting, learn

HIDDEN = (256, 128, 64)
"""Numbers of neurons of the encoder, towards the centre; the decoder has them the other way round."""
CODES = 5
"""Number of central features."""


def train(
    shapes: Any, seed: int, epochs: int, kept: Path | None, progress: Progress | None
) -> tuple[dict[str, Any], Any, Any, Any]:
    """Train on shapes (n, window); return the decoder's tensors, codes (n, CODES) standardised, and their mean and spread."""
    import torch

    random = torch.Generator().manual_seed(seed)
    start = untrained("encoder", (shapes.shape[1], *HIDDEN, CODES), random)
    start |= untrained("decoder", (CODES, *HIDDEN[::-1], shapes.shape[1]), random)

    def loss(tensors: Any, rows: Any, random: Any) -> Any:
        return ((through("decoder", tensors, through("encoder", tensors, shapes[rows])) - shapes[rows]) ** 2).mean()

    trained = learn(Fitting(start, loss, len(shapes), seed), epochs, "autoencoder", kept, progress)
    codes = through("encoder", trained, shapes)
    mean, spread = codes.mean(0), codes.std(0) + 1e-12  # a feature that died is constant
    decoder = {name: tensor for name, tensor in trained.items() if name.startswith("decoder")}
    return decoder, (codes - mean) / spread, mean, spread
