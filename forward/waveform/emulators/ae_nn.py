"""AE + NN: a network from the place to the central features of an autoencoder (Spurio Mancini et al. 2021, sec. 2.2.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators import autoencoder
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.layers import through
from vip.forward.waveform.emulators.learning import MOST, regress
from vip.forward.waveform.emulators.training import prepared
from vip.protocols import Floats

HIDDEN = (64, 128, 256)


class CodesByNetwork(Emulator):
    """A decoder of features that are those of a network."""

    method = "ae_nn"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        codes = through("network", self.tensors, inputs) * self.tensors["spread"] + self.tensors["mean"]
        return through("decoder", self.tensors, codes)


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
) -> CodesByNetwork:
    """Train on traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    ready = prepared(positions, traces, receiver, seed, whole)
    decoder, codes, mean, spread = autoencoder.train(ready.shapes, seed, epochs, kept, progress)
    network = regress(ready.tensors["inputs"].float(), codes, HIDDEN, seed, epochs, "ae_nn", kept, progress)
    return CodesByNetwork(ready.about, ready.tensors | decoder | network | {"mean": mean, "spread": spread})
