"""How well traces are predicted, in several ways: R2D alone is decided by the strongest traces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.protocols import Floats

WORST = 0.05
"""Part of the traces that "worst" means."""


class Measures(NamedTuple):
    """Accuracy of predicted traces.

    Attributes
    ----------
    r2d : float
        Correlation of all samples of all traces (Spurio Mancini et al. 2021, eq. 12).
    median, worst : float
        Median correlation of a trace, and mean correlation of the worst 5 % of the traces.
    delay : float
        Median size of the delay at which a predicted trace correlates best with the true one, in samples.
    delayed : float
        The size of the delay that 95 % of the traces do not exceed, in samples.
    misfit : float
        Median root mean square of what is wrong in a trace, over the standard deviation of the noise.
    misfits : float
        The misfit that 95 % of the traces do not exceed.
    """

    r2d: float
    median: float
    worst: float
    delay: float
    delayed: float
    misfit: float
    misfits: float


def measured(true: Floats, predicted: Floats, noise: float) -> Measures:
    """Measures of predicted traces (n, samples), given the standard deviation of the noise in the unit of the traces."""
    g, p = np.asarray(true, float), np.asarray(predicted, float)
    each = correlations(g, p)
    late = np.abs(delays(g, p))
    wrong = np.sqrt(((p - g) ** 2).mean(axis=1)) / noise
    worst = np.sort(each)[: max(1, round(WORST * len(each)))].mean()
    found = (
        r2d(g, p),
        np.median(each),
        worst,
        np.median(late),
        np.quantile(late, 0.95),
        np.median(wrong),
        np.quantile(wrong, 0.95),
    )
    return Measures(*map(float, found))


def r2d(true: Floats, predicted: Floats) -> float:
    """Correlation of all samples of all traces (eq. 12 of the paper); zero if either does not vary."""
    g, p = true - true.mean(), predicted - predicted.mean()
    scale = np.sqrt((g**2).sum() * (p**2).sum())
    return float((g * p).sum() / scale) if scale > 0 else 0.0


def correlations(true: Floats, predicted: Floats) -> Floats:
    """Correlation (n,) of each trace with its prediction; zero where either does not vary."""
    g, p = (each - each.mean(axis=1, keepdims=True) for each in (true, predicted))
    scale = np.sqrt((g**2).sum(axis=1) * (p**2).sum(axis=1))
    found: Floats = np.divide((g * p).sum(axis=1), scale, out=np.zeros(len(g)), where=scale > 0)
    return found


def delays(true: Floats, predicted: Floats) -> Floats:
    """Delay (n,), in samples, of each prediction: where it correlates best with the trace, between samples by a parabola."""
    size = 2 * true.shape[1]
    spectrum = np.fft.rfft(predicted, size) * np.fft.rfft(true, size).conj()
    lags = np.fft.fftshift(np.fft.irfft(spectrum, size), axes=1)
    at = lags.argmax(axis=1).clip(1, size - 2)
    rows = np.arange(len(lags))
    before, here, after = (lags[rows, at + step] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    part = np.divide(before - after, 2 * bend, out=np.zeros(len(lags)), where=bend < 0)
    found: Floats = at + part - size // 2
    return found
