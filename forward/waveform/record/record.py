"""What was recorded, and which channels can be used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vip.errors import ConfigError
from vip.forward.waveform.elementary import Channel
from vip.protocols import Floats

CLIPPED = 4
"""Number of successive samples at a channel's largest or smallest value from which it counts as clipped."""
SAME = 1e-3
"""Largest difference of a time from that of a sample, in sampling intervals."""


class Record(NamedTuple):
    """Seismograms of some channels, sampled alike."""

    channels: tuple[Channel, ...]
    traces: Floats
    """Traces (channels, samples), Pa or m/s."""
    dt: float
    start: float
    """Time of the first sample after the reference time, s."""
    left_out: tuple[str, ...] = ()
    """Channels that cannot be used, each with the reason."""

    @property
    def end(self) -> float:
        """Time of the last sample."""
        return float(self.start + (self.traces.shape[1] - 1) * self.dt)

    def between(self, window: tuple[float, float], key: str) -> Record:
        """The part between two times.

        Raises
        ------
        ConfigError
            If it is not within the record, or has fewer than two samples.
        """
        first, last = (window[0] - self.start) / self.dt, (window[1] - self.start) / self.dt
        if first < -SAME or last > self.traces.shape[1] - 1 + SAME:
            raise ConfigError(key, list(window), f"the data are from {self.start:g} to {self.end:g} s")
        a, b = math.ceil(first - SAME), math.floor(last + SAME)
        if b - a < 1:
            raise ConfigError(key, list(window), f"holds fewer than two samples, {self.dt:g} s apart")
        return self._replace(traces=self.traces[:, a : b + 1], start=self.start + a * self.dt)


def usable(record: Record, file: Path) -> Record:
    """The record without channels that are dead, clipped or not finite.

    Raises
    ------
    ConfigError
        If none is left.
    """
    faults = [fault(trace) for trace in record.traces]
    kept = [i for i, found in enumerate(faults) if not found]
    names = [
        f"{channel.station} {channel.name}: {found}" for channel, found in zip(record.channels, faults, strict=True) if found
    ]
    if not kept:
        raise ConfigError("data", "; ".join(names), "no channel can be used", file)
    channels = tuple(record.channels[i] for i in kept)
    return record._replace(channels=channels, traces=record.traces[kept], left_out=(*record.left_out, *names))


def fault(trace: Floats) -> str:
    """What makes a trace (samples,) useless; nothing if it can be used.

    Examples
    --------
    >>> fault(np.zeros(8)), fault(np.array([1.0, np.nan])), fault(np.array([0, 5, 5, 5, 5, 1.0])), fault(np.arange(3.0))
    ('is dead, all its samples are 0', 'has 1 sample that is not finite', 'is clipped at 5, 4 samples on end', '')
    """
    bad = int((~np.isfinite(trace)).sum())
    if bad:
        return f"has {bad} sample{'s' * (bad > 1)} that {'are' if bad > 1 else 'is'} not finite"
    if np.ptp(trace) == 0:
        return f"is dead, all its samples are {trace[0]:g}"
    for level in (trace.max(), trace.min()):
        run = longest_run(trace == level)
        if run >= CLIPPED:
            return f"is clipped at {level:g}, {run} samples on end"
    return ""


def longest_run(marked: Sequence[bool] | np.ndarray) -> int:
    """Length of the longest run of marks (n,).

    Examples
    --------
    >>> longest_run(np.array([True, False, True, True]))
    2
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(marked, int), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
