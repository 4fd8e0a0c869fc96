"""PCA + NN: a network from the place to principal components of the shape (Spurio Mancini et al. 2021, sec. 2.2.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.layers import through
from vip.forward.waveform.emulators.learning import MOST, regress
from vip.forward.waveform.emulators.pca import components
from vip.forward.waveform.emulators.training import prepared
from vip.protocols import Floats

HIDDEN = (50, 50, 50)
RANK = 20
"""Number of principal components."""


class ComponentsByNetwork(Emulator):
    """Principal components whose coefficients are those of a network."""

    method = "pca_nn"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        coefficients = through("network", self.tensors, inputs) * self.tensors["spread"]
        return self.tensors["mean"] + coefficients @ self.tensors["basis"]


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
    rank: int = RANK,
) -> ComponentsByNetwork:
    """Train on traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    ready = prepared(positions, traces, receiver, seed, whole)
    mean, basis, coefficients = components(ready.shapes, rank)
    # One scale for all: the loss is then that of the shapes.
    spread = coefficients.std(0).max()
    network = regress(ready.tensors["inputs"].float(), coefficients / spread, HIDDEN, seed, epochs, "pca_nn", kept, progress)
    return ComponentsByNetwork(ready.about, ready.tensors | network | {"mean": mean, "basis": basis, "spread": spread})
