"""NN direct: a network from the place to the shape of the trace (Spurio Mancini et al. 2021, sec. 2.2.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.layers import through
from vip.forward.waveform.emulators.learning import MOST, regress
from vip.forward.waveform.emulators.training import prepared
from vip.protocols import Floats

HIDDEN = (64, 128, 256)


class Direct(Emulator):
    """A network whose output is the shape itself."""

    method = "direct"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        return through("network", self.tensors, inputs)


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
) -> Direct:
    """Train on traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    ready = prepared(positions, traces, receiver, seed, whole)
    network = regress(ready.tensors["inputs"].float(), ready.shapes, HIDDEN, seed, epochs, "direct", kept, progress)
    return Direct(ready.about, ready.tensors | network)
