"""Kriged: Gaussian processes of coefficients of shapes that smooth functions of the place have aligned; our own method.

It differs from the paper's PCA + GP in four ways. Peaks that jump to another arrival do not bend the function that aligns
shapes (`training.smoothed`). Shapes are aligned by that function and not by their own peaks: its errors are the same
in training and prediction, and the coefficients make up for them. Heights are learnt as logarithms. Coefficients of like size
share a kernel, so that a place needs one row of covariances for many of them.
"""

from __future__ import annotations

import itertools
from typing import Any

from vip.forward.neural.device import torch_threads
from vip.forward.neural.training import Progress
from vip.forward.waveform.emulators import gaussian
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.pca import components
from vip.forward.waveform.emulators.training import PARTS, smoothed
from vip.protocols import Floats

RANK = 60
"""Number of principal components."""
GROUPS = (5, 20)
"""Components before which a new group with a kernel of its own begins."""


class Kriged(Emulator):
    """Principal components whose coefficients are the means of Gaussian processes that share kernels."""

    method = "kriged"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        import torch

        names = sorted({name.split(".")[0] for name in self.tensors if name.startswith("group")})
        found = [gaussian.named(name, PARTS, self.tensors["inputs"], self.tensors)(inputs) for name in names]
        return self.tensors["mean"] + torch.cat(found, 1).to(self.tensors["basis"]) @ self.tensors["basis"]


def fit(
    positions: Floats,
    traces: Floats,
    receiver: Floats,
    seed: int = 0,
    *,
    progress: Progress | None = None,
    rank: int = RANK,
) -> Kriged:
    """Train on traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    ready = smoothed(positions, traces, receiver, seed)
    mean, basis, coefficients = components(ready.shapes, rank)
    tensors = {"mean": mean, "basis": basis}
    edges = [0, *(edge for edge in GROUPS if edge < len(basis)), len(basis)]
    with torch_threads(1):
        for i, (first, last) in enumerate(itertools.pairwise(edges)):
            process = gaussian.fit(PARTS, ready.tensors["inputs"], coefficients[:, first:last].double(), seed)
            tensors |= process.tensors(f"group{i}")
            if progress is not None:
                progress(i + 1, float("nan"))
    return Kriged(ready.about, ready.tensors | tensors)
