"""From elementary seismograms after the origin time to the samples of the data: shift, duration of the source, and band.

All three are products of spectra, so that a shift by a part of a sample and its derivative are exact for what the sampling
carries. A trace is continued by its first value before its beginning and by its last value after its end, and the two are
joined smoothly where no datum is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from vip.forward.waveform.elementary import Traces
from vip.protocols import Floats

JOIN = 64
"""Least number of samples between the last value of a trace and the first."""
GUARD = 16
"""Number of samples by which a trace is continued beyond the data, for the ends of a shift by a part of a sample."""


class Aligned(NamedTuple):
    """Traces at the samples of the data, with what their derivatives are made of."""

    traces: Traces
    """Traces (n, channels, b, samples of the data)."""
    spectra: NDArray[np.complexfloating]
    """Their spectra (n, channels, b, frequencies), before samples are cut out."""
    transfer: NDArray[np.complexfloating]
    """Factors (n, channels or 1, 1, frequencies) of the spectra."""


class Slopes(NamedTuple):
    """Derivatives by the traces that were aligned (n, channels, b, samples), by shifts (n, channels), s, and durations (n,)."""

    by_traces: Traces
    by_shift: Floats
    by_duration: Floats


class Alignment:
    """Seismograms after the origin time as the data have them.

    Parameters
    ----------
    dt : float
        Sampling interval of both, s.
    start, samples : float, int
        Time of the first sample of a seismogram after the origin time, s, and their number.
    data_start, data_samples : float, int
        Time of the first datum after the reference time, s, and number of samples of a channel.
    earliest, latest : float
        Least and greatest shift, s: origin time and time terms of stations together.
    longest : float
        Greatest duration, s.
    band : (low, high), optional
        Frequencies, Hz, between which data and predictions are kept; see `response`.
    """

    def __init__(
        self,
        dt: float,
        start: float,
        samples: int,
        data_start: float,
        data_samples: int,
        earliest: float,
        latest: float,
        longest: float = 0.0,
        band: tuple[float, float] | None = None,
    ) -> None:
        self.dt, self.samples, self.data_samples = dt, samples, data_samples
        self.offset = data_start - start
        guard = GUARD + math.ceil(4 * longest / dt)
        before = guard + max(0, math.ceil((latest - self.offset) / dt))
        self.hold = guard + max(0, math.ceil((self.offset - earliest) / dt) + data_samples - samples)
        self.n = next_fast_len(samples + self.hold + JOIN + before, real=True)
        self.join = self.n - samples - self.hold - before
        self.fade = 0.5 + 0.5 * np.cos(np.pi * (np.arange(self.join) + 0.5) / self.join)
        self.omega: Floats = np.asarray(2 * np.pi * np.fft.rfftfreq(self.n, dt), float)
        self.response = np.ones(len(self.omega)) if band is None else response(self.omega / (2 * np.pi), band)

    def __call__(self, traces: Traces, shift: Floats, duration: Floats) -> Aligned:
        """Align traces (n, channels, b, samples) for shifts (n, channels) or (n, 1), s, and Gaussian durations (n,), s."""
        lag = (shift - self.offset)[:, :, None, None]
        transfer = self.response * np.exp(-1j * self.omega * lag - 0.5 * (self.omega * duration[:, None, None, None]) ** 2)
        transfer = transfer.astype(np.result_type(traces.dtype, np.complex64))
        spectra = rfft(self._continued(traces)) * transfer
        return Aligned(irfft(spectra, self.n)[..., : self.data_samples], spectra, transfer)

    def pull_back(self, cotangent: Traces, aligned: Aligned, duration: Floats) -> Slopes:
        """Derivatives of a scalar whose derivatives by the aligned traces are `cotangent`."""
        padded = np.zeros((*cotangent.shape[:3], self.n), cotangent.dtype)
        padded[..., : self.data_samples] = cotangent
        spectrum = rfft(padded)
        product = np.ascontiguousarray((np.conj(spectrum) * aligned.spectra).sum(axis=2))
        weight = np.full(len(self.omega), 2.0 / self.n)
        weight[0] /= 2
        if self.n % 2 == 0:
            weight[-1] /= 2
        by_shift = (product.imag * (weight * self.omega)).sum(axis=2)
        by_duration = -(product.real * (weight * self.omega**2)).sum(axis=2).sum(axis=1) * duration
        back = irfft(spectrum * np.conj(aligned.transfer), self.n)
        return Slopes(self._pulled(back), by_shift, by_duration)

    def _continued(self, traces: Traces) -> Traces:
        first, last, end = traces[..., :1], traces[..., -1:], self.samples + self.hold
        fade = self.fade.astype(traces.dtype)
        whole = np.empty((*traces.shape[:3], self.n), traces.dtype)
        whole[..., : self.samples] = traces
        whole[..., self.samples : end] = last
        whole[..., end : end + self.join] = last * fade + first * (1 - fade)
        whole[..., end + self.join :] = first
        return whole

    def _pulled(self, back: Traces) -> Traces:
        """Transpose of `_continued`."""
        end, fade = self.samples + self.hold, self.fade.astype(back.dtype)
        join = back[..., end : end + self.join]
        by_traces = back[..., : self.samples].copy()
        by_traces[..., -1] += back[..., self.samples : end].sum(axis=-1) + (join * fade).sum(axis=-1)
        by_traces[..., 0] += back[..., end + self.join :].sum(axis=-1) + (join * (1 - fade)).sum(axis=-1)
        return by_traces


def response(frequency: Floats, band: tuple[float, float]) -> Floats:
    """Response of a band without a phase: one between two frequencies, with cosines down to zero over half an octave outside.

    Examples
    --------
    >>> response(np.array([0.0, 1.0, 5.0, 10.0, 20.0]), (2.0, 10.0)).round(3).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0]
    """
    low, high = band
    with np.errstate(divide="ignore"):
        octaves = np.log2(frequency)
    outside = np.maximum(
        np.maximum(math.log2(low) - octaves, octaves - math.log2(high)) if low > 0 else octaves - math.log2(high), 0.0
    )
    made: Floats = 0.5 + 0.5 * np.cos(np.pi * np.minimum(2 * outside, 1.0))
    return made
