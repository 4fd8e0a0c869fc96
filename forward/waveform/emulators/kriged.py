"""Kriged: a Gaussian process of the coefficients of shapes that smooth functions of the place have aligned; our own method.

It differs from the paper's PCA + GP in four ways. Peaks that jump to another arrival do not bend the function that aligns
shapes (`training.smoothed`). Shapes are aligned by that function and not by their own peaks: its errors are the same in
training and prediction, and the coefficients make up for them. Heights are learnt as logarithms. All coefficients share a
kernel, which the largest decide, so that a place needs one row of covariances for all of them.
"""

from __future__ import annotations

from typing import Any

from vip.forward.neural.device import torch_threads
from vip.forward.waveform.emulators import gaussian
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.pca import components
from vip.forward.waveform.emulators.training import PARTS, smoothed
from vip.protocols import Floats

RANK = 60
"""Number of principal components."""


class Kriged(Emulator):
    """Principal components whose coefficients are the means of Gaussian processes that share a kernel."""

    method = "kriged"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        coefficients = gaussian.named("coefficients", PARTS, self.tensors["inputs"], self.tensors)(inputs)
        return self.tensors["mean"] + coefficients.to(self.tensors["basis"]) @ self.tensors["basis"]


def fit(positions: Floats, traces: Floats, receiver: Floats, seed: int = 0, *, rank: int = RANK) -> Kriged:
    """Train on traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    ready = smoothed(positions, traces, receiver, seed)
    mean, basis, coefficients = components(ready.shapes, rank)
    with torch_threads(1):
        process = gaussian.fit(PARTS, ready.tensors["inputs"], coefficients.double(), seed)
    return Kriged(ready.about, ready.tensors | {"mean": mean, "basis": basis} | process.tensors("coefficients"))
