"""AE + GP: a Gaussian process for each central feature of an autoencoder (Spurio Mancini et al. 2021, sec. 2.2.5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators import autoencoder
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.layers import through
from vip.forward.waveform.emulators.learning import MOST
from vip.forward.waveform.emulators.pca_gp import by_processes, fit_processes
from vip.forward.waveform.emulators.training import prepared
from vip.protocols import Floats


class CodesByProcesses(Emulator):
    """A decoder of features that are the means of Gaussian processes."""

    method = "ae_gp"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        mean, spread = self.tensors["mean"], self.tensors["spread"]
        codes = by_processes(self.tensors, inputs, len(mean)).to(mean)
        return through("decoder", self.tensors, codes * spread + mean)


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
) -> CodesByProcesses:
    """Train on traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    ready = prepared(positions, traces, receiver, seed, whole)
    decoder, codes, mean, spread = autoencoder.train(ready.shapes, seed, epochs, kept, progress)
    processes = fit_processes(ready.tensors["inputs"], codes, seed, None)
    return CodesByProcesses(ready.about, ready.tensors | decoder | processes | {"mean": mean, "spread": spread})
