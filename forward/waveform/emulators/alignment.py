"""Peaks of traces, and traces moved in time so that their peaks come together (Spurio Mancini et al. 2021, sec. 2.1)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vip.protocols import Floats


def peaks(traces: Floats, whole: bool) -> tuple[Floats, Floats]:
    """Time (n,), in samples, and height (n,) of the largest positive sample of each trace (n, samples).

    Unless `whole` samples are asked for, they are those of the parabola through that sample and its neighbours.
    """
    at = traces.argmax(axis=1)
    rows = np.arange(len(traces))
    if whole:
        return at.astype(float), traces[rows, at].astype(float)
    middle = at.clip(1, traces.shape[1] - 2)
    before, here, after = (traces[rows, middle + step].astype(float) for step in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = np.where((bend < 0) & (at == middle), (before - after) / (2 * np.where(bend < 0, bend, 1)), 0.0)
    return at + offset, traces[rows, at] - (before - after) * offset / 4


def shifted(traces: Any, samples: Any, length: int) -> Any:
    """Traces (n, m) that begin `samples` (n,) later, cut or filled with zeros to `length`, for automatic differentiation.

    A shift by a part of a sample is that of the band-limited trace.
    """
    import torch

    size = 2 ** math.ceil(math.log2(traces.shape[1] + length))
    frequency = torch.arange(size // 2 + 1, dtype=samples.dtype) * (-2 * math.pi / size)
    phase = samples[:, None] * frequency
    turned = torch.fft.rfft(traces, size) * torch.complex(torch.cos(phase), torch.sin(phase)).to(traces.dtype.to_complex())
    return torch.fft.irfft(turned, size)[:, :length]
