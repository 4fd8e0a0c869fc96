"""Observed waveforms, from a file or made from a true model, with their errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.fwi2d.arrays import read_array
from vip.protocols import Floats


def checked(traces: Floats, n_traces: int, n_samples: int, file: Path) -> Floats:
    """Waveforms (traces, samples), all shots one after the other.

    Raises
    ------
    ConfigError
        If the number of waveforms or samples is not that of the geometry and the time axis.
    """
    if traces.ndim == 3:
        traces = traces.reshape(-1, traces.shape[2])
    if traces.ndim != 2 or len(traces) != n_traces:
        found = f"{len(traces)} traces" if traces.ndim == 2 else f"shape {traces.shape}"
        raise ConfigError("data", found, f"shots and receivers make {n_traces} traces", file)
    if traces.shape[1] != n_samples:
        raise ConfigError("time.samples", n_samples, f"the data have {traces.shape[1]} samples a trace", file)
    return traces


def dead_or_masked(traces: Floats, rule: str, file: Path) -> NDArray[np.bool_]:
    """Whether each sample is left out: those of dead traces (all zero) and NaN are, if the rule is to mask them.

    Raises
    ------
    ConfigError
        If there are such samples and the rule is "error".
    """
    missing: NDArray[np.bool_] = ~np.isfinite(traces)
    dead: NDArray[np.bool_] = ~np.any(traces, axis=1)
    if rule == "mask":
        return missing | dead[:, None]
    for fault, where in (("all zero", dead), ("not finite", missing.any(axis=1))):
        if where.any():
            first, number = int(np.flatnonzero(where)[0]) + 1, int(where.sum())
            remedy = f'{number} such traces; mend them, or leave them out with dead_traces = "mask"'
            raise ConfigError(f"trace {first}", fault, remedy, file)
    return missing


def standard_deviations(sigma: float | Path | None, relative: float | None, clean: Floats, base_dir: Path) -> Floats:
    """Standard deviations, broadcastable to waveforms (traces, samples).

    Parameters
    ----------
    sigma : float or path
        One standard deviation for all, or a file of one for each trace, or for each sample.
    relative : float
        In place of `sigma`, the share of the median of the traces' largest amplitudes (Zhang & Curtis 2024, section 4.2).
    clean : (traces, samples) float
        Waveforms; NaN where masked.

    Raises
    ------
    ConfigError
        If a file does not have one for each trace or sample, or has one that is not positive.
    """
    if relative is not None:
        largest = np.nanmax(np.abs(clean[np.isfinite(clean).any(axis=1)]), axis=1)
        return np.array([[relative * float(np.median(largest))]])
    if not isinstance(sigma, Path):
        return np.array([[sigma]], dtype=float)
    file = base_dir / sigma
    values = read_array(file)
    if values.size == len(clean):
        values = values.reshape(-1, 1)
    elif values.size == clean.size:
        values = values.reshape(clean.shape)
    else:
        raise ConfigError("sigma", values.shape, f"expected {len(clean)} (a trace each) or {clean.shape}", file)
    bad = np.argwhere(~(values > 0))
    if len(bad):
        raise ConfigError(f"trace {bad[0][0] + 1}", float(values[tuple(bad[0])]), "a standard deviation must be positive", file)
    return values
