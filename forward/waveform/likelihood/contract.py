"""What all likelihoods of seismograms have in common."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from vip.forward.waveform.elementary import Traces
from vip.forward.waveform.noise import Whitener
from vip.protocols import Floats

NONE = np.zeros(0)


class Value(NamedTuple):
    """Log-likelihoods with their derivatives, which are empty where they were not asked for."""

    value: Floats
    """Log-likelihoods (n,), normalised."""
    by_traces: Traces
    """Derivatives (n, channels, b, samples) by the predicted traces."""
    by_log_noise: Floats
    """Derivatives (n, channels) by the logarithms of the noise scales."""


class Likelihood(Protocol):
    """Likelihood of the data, which it holds.

    Predicted traces are (n, channels, b, samples). All but `Marginal` want b = 1; there, they are the parts of a sum whose
    factors are integrated out.
    """

    whitener: Whitener

    def __call__(self, traces: Traces, log_noise: Floats, slopes: bool = True) -> Value:
        """Log-likelihoods of predicted traces, where exp(`log_noise`) (n, channels) multiplies the noise."""


def totals(by_sample: Traces) -> Floats:
    """Sums (n, channels) of values (n, channels, samples), in double precision."""
    return np.asarray(by_sample.sum(axis=2, dtype=np.float64))
