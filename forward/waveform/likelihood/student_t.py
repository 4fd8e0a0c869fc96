"""Errors of Student's t distribution, whose tails forgive outliers (Lange et al. 1989), after the noise was made white."""

from __future__ import annotations

import math

import numpy as np

from vip.forward.waveform.elementary import Traces
from vip.forward.waveform.likelihood.contract import NONE, Value, totals
from vip.forward.waveform.noise import Whitener
from vip.protocols import Floats


class StudentT:
    """Errors whose white samples are independent and follow Student's t distribution.

    Parameters
    ----------
    observed : (channels, samples) float
    whitener : Whitener
    degrees_of_freedom : float
        Few give heavy tails, many a Gaussian.
    """

    def __init__(self, observed: Traces, whitener: Whitener, degrees_of_freedom: float) -> None:
        self.white, self.whitener, self.nu = whitener(observed[None, :, None])[:, :, 0], whitener, degrees_of_freedom
        nu = degrees_of_freedom
        one = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(nu * math.pi)
        self.constant = whitener.log_determinant + observed.size * one

    def __call__(self, traces: Traces, log_noise: Floats, slopes: bool = True) -> Value:
        """Log-likelihoods of predicted traces (n, channels, 1, samples), and derivatives."""
        samples, nu = traces.shape[3], self.nu
        shrink = np.exp(-log_noise).astype(traces.dtype)[:, :, None]
        z = (self.white - self.whitener(traces)[:, :, 0]) * shrink
        value = self.constant - (0.5 * (nu + 1) * totals(np.log1p(z**2 / nu)) + samples * log_noise).sum(axis=1)
        if not slopes:
            return Value(value, NONE, NONE)
        pull = (nu + 1) * z / (nu + z**2)
        return Value(value, self.whitener.transpose((pull * shrink)[:, :, None]), totals(pull * z) - samples)
