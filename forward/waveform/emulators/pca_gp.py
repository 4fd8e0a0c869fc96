"""PCA + GP: a Gaussian process for each principal component of the shape (Spurio Mancini et al. 2021, sec. 2.2.3)."""

from __future__ import annotations

from typing import Any

from vip.forward.neural.device import torch_threads
from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators import gaussian
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.pca import components
from vip.forward.waveform.emulators.pca_nn import RANK
from vip.forward.waveform.emulators.training import PARTS, prepared
from vip.protocols import Floats


class ComponentsByProcesses(Emulator):
    """Principal components whose coefficients are the means of Gaussian processes."""

    method = "pca_gp"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        coefficients = by_processes(self.tensors, inputs, len(self.tensors["basis"])).to(self.tensors["basis"])
        return self.tensors["mean"] + coefficients @ self.tensors["basis"]


def by_processes(tensors: Any, inputs: Any, count: int) -> Any:
    """Means (n, count) of the processes "feature0", "feature1" and so on."""
    import torch

    found = [gaussian.named(f"feature{i}", PARTS, tensors["inputs"], tensors)(inputs) for i in range(count)]
    return torch.cat(found, 1)


def fit_processes(inputs: Any, features: Any, seed: int, progress: Progress | None) -> dict[str, Any]:
    """Tensors of one process for each column of features (n, m); after each, `progress` hears how many are done."""
    tensors: dict[str, Any] = {}
    with torch_threads(1):
        for i, feature in enumerate(features.double().T):
            tensors |= gaussian.fit(PARTS, inputs, feature[:, None], seed).tensors(f"feature{i}")
            if progress is not None:
                progress(i + 1, float("nan"))
    return tensors


def fit(
    positions: Floats,
    traces: Floats,
    receiver: Floats,
    seed: int = 0,
    *,
    whole: bool = False,
    progress: Progress | None = None,
    rank: int = RANK,
) -> ComponentsByProcesses:
    """Train on traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    ready = prepared(positions, traces, receiver, seed, whole)
    mean, basis, coefficients = components(ready.shapes, rank)
    processes = fit_processes(ready.tensors["inputs"], coefficients, seed, progress)
    return ComponentsByProcesses(ready.about, ready.tensors | processes | {"mean": mean, "basis": basis})
