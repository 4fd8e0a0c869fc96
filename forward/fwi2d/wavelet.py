"""Source wavelets, and how high their frequencies go."""

from __future__ import annotations

import numpy as np

from vip.protocols import Floats

NEGLIGIBLE = 0.1
"""Share of a spectrum's peak below which frequencies are not counted: a Ricker wavelet then ends at 2.2 times its own."""


def ricker(frequency: float, delay: float, dt: float, n: int) -> Floats:
    """Ricker wavelet (n,) of a peak frequency (Hz), its peak at `delay` (s).

    Examples
    --------
    >>> float(ricker(10.0, 0.1, 0.01, 21).max()), int(ricker(10.0, 0.1, 0.01, 21).argmax())
    (1.0, 10)
    """
    a = (np.pi * frequency * (np.arange(n) * dt - delay)) ** 2
    wavelet: Floats = (1 - 2 * a) * np.exp(-a)
    return wavelet


def refined(wavelet: Floats, factor: int) -> Floats:
    """The wavelet at `factor` times as many samples, the last kept: band-limited interpolation by Fourier transform.

    The wavelet is continued by zeros, so that its end does not leak into its start.
    """
    n = len(wavelet)
    spectrum = np.fft.rfft(wavelet, 2 * n)
    fine = np.fft.irfft(spectrum, 2 * n * factor) * factor
    return fine[: (n - 1) * factor + 1]


def highest_frequency(wavelet: Floats, dt: float) -> float:
    """Highest frequency (Hz) at which the amplitude spectrum is not negligible.

    Examples
    --------
    >>> round(highest_frequency(ricker(10.0, 0.1, 0.002, 500), 0.002))
    22
    """
    n = 8 * len(wavelet)
    amplitude = np.abs(np.fft.rfft(wavelet, n))
    return float(np.fft.rfftfreq(n, dt)[np.flatnonzero(amplitude >= NEGLIGIBLE * amplitude.max())[-1]])
