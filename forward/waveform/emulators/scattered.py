"""Scattered table: what a table of Green's functions does between nodes, done between the sources that there happen to be.

Shapes, aligned by smooth functions of the place, are sums of a few principal components, whose coefficients are interpolated by
the spline |x - x_i| with a linear trend: the biharmonic spline of three dimensions (Sandwell 1987). It passes through all data
and has nothing to learn.
"""

from __future__ import annotations

from typing import Any

from vip.forward.neural.device import torch_threads
from vip.forward.waveform.emulators.emulator import TINY, Emulator
from vip.forward.waveform.emulators.pca import components
from vip.forward.waveform.emulators.training import smoothed
from vip.protocols import Floats

RANK = 60
"""Number of principal components."""


class Scattered(Emulator):
    """Principal components whose coefficients are splines between the sources."""

    method = "scattered"

    def shapes(self, inputs: Any) -> Any:
        """Shapes, as the contract says."""
        distances = _distances(self._metres(inputs), self._metres(self.tensors["inputs"]))
        weights = self.tensors["weights"]
        coefficients = distances.to(weights) @ weights + _trend(inputs).to(weights) @ self.tensors["trend"]
        return self.tensors["mean"] + coefficients @ self.tensors["basis"]

    def _metres(self, inputs: Any) -> Any:
        return inputs[:, :3] * self.tensors["scale"][:3]


def _distances(a: Any, b: Any) -> Any:
    """Distances (n, q), m, between places a (n, 3) and b (q, 3)."""
    import torch

    squared = ((a[:, None] - b) ** 2).sum(-1)
    return torch.sqrt(squared + TINY)


def _trend(inputs: Any) -> Any:
    import torch

    return torch.cat([torch.ones_like(inputs[:, :1]), inputs[:, :3]], 1)


def fit(
    positions: Floats,
    traces: Floats,
    receiver: Floats,
    seed: int = 0,
    *,
    rank: int = RANK,
) -> Scattered:
    """Interpolate traces (n, samples) of sources at positions (n, 3), m; see `emulators.fit`."""
    import torch

    ready = smoothed(positions, traces, receiver, seed)
    mean, basis, coefficients = components(ready.shapes, rank)
    metres = ready.tensors["inputs"][:, :3] * ready.tensors["scale"][:3]
    trend = _trend(ready.tensors["inputs"])
    with torch_threads(1):
        n, free = trend.shape
        system = torch.zeros(n + free, n + free, dtype=torch.float64)
        system[:n, :n], system[:n, n:], system[n:, :n] = _distances(metres, metres), trend, trend.T
        wanted = torch.cat([coefficients.double(), torch.zeros(free, coefficients.shape[1], dtype=torch.float64)])
        weights = torch.linalg.solve(system, wanted).float()
    own = {"mean": mean, "basis": basis, "weights": weights[:n].contiguous(), "trend": weights[n:].contiguous()}
    return Scattered(ready.about, ready.tensors | own)
