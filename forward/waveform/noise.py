"""Noise of a channel: its autocovariance before the event, and the filter that makes it white.

Noise is an autoregressive process, so that its precision matrix is banded: the rows of the whitening filter are the errors of
predicting each sample from those before it, over their standard deviations (Levinson's recursion; the first rows know fewer
samples). White noise is the process of order zero. Traces x with noise of covariance C = (W^T W)^-1 have white W x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vip.forward.waveform.elementary import Traces
from vip.protocols import Floats

MOST = 24
"""Greatest order of a process."""
FLOOR = 1e-4
"""Share of white noise that is added, since nothing is known at frequencies that a filter has taken away."""
PER_LAG = 8
"""Least number of samples of noise for each coefficient of a process."""


class Process(NamedTuple):
    """Autoregressive process: predictions of orders 0 to p, and the variances of their errors.

    Attributes
    ----------
    predictions : tuple of (k,) float
        For each order k, the coefficients of the last k samples, the latest first.
    variances : (p + 1,) float
    """

    predictions: tuple[Floats, ...]
    variances: Floats


def white(sigma: float) -> Process:
    """White noise of a standard deviation."""
    return Process((np.zeros(0),), np.array([sigma**2]))


def estimated(noise: Floats, most: int = MOST) -> Process:
    """Process of samples of noise (m,), its order chosen by Schwarz's criterion (1978)."""
    n = len(noise)
    x = noise - noise.mean()
    most = min(most, n // PER_LAG)
    covariance = np.array([x[lag:] @ x[: n - lag] for lag in range(most + 1)]) / n
    covariance[0] *= 1 + FLOOR
    process = levinson(covariance)
    cost = n * np.log(process.variances) + np.log(n) * np.arange(most + 1)
    order = int(np.argmin(cost))
    return Process(process.predictions[: order + 1], process.variances[: order + 1])


def levinson(covariance: Floats) -> Process:
    """Process whose autocovariance (p + 1,) begins so, by Levinson's recursion.

    Examples
    --------
    >>> levinson(np.array([1.0, 0.5, 0.25])).predictions[2].round(12).tolist()
    [0.5, 0.0]
    """
    a, variances, predictions = np.zeros(0), [float(covariance[0])], [np.zeros(0)]
    for order in range(1, len(covariance)):
        reflection = (covariance[order] - a @ covariance[order - 1 : 0 : -1]) / variances[-1]
        a = np.append(a - reflection * a[::-1], reflection)
        variances.append(variances[-1] * (1 - reflection**2))
        predictions.append(a)
    return Process(tuple(predictions), np.array(variances))


class Whitener:
    """Filter that makes the noise of some channels white.

    Parameters
    ----------
    processes : sequence of Process
        Noise of each channel.
    samples : int
        Number of samples of a trace.
    """

    def __init__(self, processes: Sequence[Process], samples: int) -> None:
        orders = max(len(process.variances) for process in processes)
        # Row i of a channel's matrix: taps[channel, k, i] is the factor of sample i - k.
        self.taps = np.zeros((len(processes), orders, samples))
        for channel, process in zip(self.taps, processes, strict=True):
            for i in range(samples):
                order = min(i, len(process.variances) - 1)
                channel[0, i] = 1.0
                channel[1 : order + 1, i] = -process.predictions[order]
                channel[:, i] /= np.sqrt(process.variances[order])
        self.log_determinant = float(np.log(self.taps[:, 0]).sum())

    def __call__(self, traces: Traces) -> Traces:
        """White traces (n, channels, b, samples), of the precision that traces have."""
        taps = self.taps.astype(traces.dtype)[:, :, None]
        made = taps[:, 0] * traces
        for lag in range(1, taps.shape[1]):
            made[..., lag:] += taps[:, lag, :, lag:] * traces[..., :-lag]
        return made

    def transpose(self, traces: Traces) -> Traces:
        """The transposed filter of traces (n, channels, b, samples)."""
        taps = self.taps.astype(traces.dtype)[:, :, None]
        made = taps[:, 0] * traces
        for lag in range(1, taps.shape[1]):
            made[..., :-lag] += taps[:, lag, :, lag:] * traces[..., lag:]
        return made
