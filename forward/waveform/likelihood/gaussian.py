"""Gaussian errors with a covariance for each channel."""

from __future__ import annotations

import math

import numpy as np

from vip.forward.waveform.elementary import Traces
from vip.forward.waveform.likelihood.contract import NONE, Value, totals
from vip.forward.waveform.noise import Whitener
from vip.protocols import Floats


class Gaussian:
    """Gaussian errors, independent between channels.

    Parameters
    ----------
    observed : (channels, samples) float
    whitener : Whitener
    """

    def __init__(self, observed: Traces, whitener: Whitener) -> None:
        self.white, self.whitener = whitener(observed[None, :, None])[:, :, 0], whitener
        self.constant = whitener.log_determinant - 0.5 * observed.size * math.log(2 * math.pi)

    def __call__(self, traces: Traces, log_noise: Floats, slopes: bool = True) -> Value:
        """Log-likelihoods of predicted traces (n, channels, 1, samples), and derivatives."""
        samples = traces.shape[3]
        shrink = np.exp(-log_noise).astype(traces.dtype)[:, :, None]
        z = (self.white - self.whitener(traces)[:, :, 0]) * shrink
        misfit = totals(z**2)
        value = self.constant - (0.5 * misfit + samples * log_noise).sum(axis=1)
        if not slopes:
            return Value(value, NONE, NONE)
        return Value(value, self.whitener.transpose((z * shrink)[:, :, None]), misfit - samples)
