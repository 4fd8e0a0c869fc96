"""Elementary seismograms, of which those of every moment tensor are sums, and the contract of all that make them."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vip.protocols import Floats

TENSOR = ("xx", "yy", "zz", "yz", "xz", "xy")
"""Order of a moment tensor's components. x and y are the model's horizontal axes, z is depth."""

Traces = NDArray[np.floating]
"""Traces in single precision, which suits tables, or in double."""


class Channel(NamedTuple):
    """One channel of a receiver.

    Attributes
    ----------
    station, name : str
        Code of the station and name of its channel.
    kind : {"pressure", "velocity"}
        Pressure, Pa, minus a third of the trace of the stress; or velocity, m/s, along `direction`.
    position : (3,) float
        x, y and depth, m.
    direction : (3,) float
        Unit vector along which velocity counts as positive, in x, y and depth; zero for pressure.
    """

    station: str
    name: str
    kind: Literal["pressure", "velocity"]
    position: tuple[float, float, float]
    direction: tuple[float, float, float]


class Elementary(NamedTuple):
    """Elementary seismograms of some places.

    Attributes
    ----------
    traces : (n, channels, 6, samples) float32 or float64
        Seismogram of each place and channel for each component of `TENSOR`, Pa or m/s for a moment of 1 N m. The
        component "xy" stands for both M_xy and M_yx, so that a seismogram is the plain sum of six products.
    slopes : (n, channels, 6, samples, 3) float32 or float64, or None
        Their derivatives by x, y and depth, per m; None if they were not asked for.
    """

    traces: Traces
    slopes: Traces | None


class Greens(Protocol):
    """Whatever gives elementary seismograms: a closed form, a table, an emulator.

    Attributes
    ----------
    box : (3, 2) float
        Least and greatest x, y and depth of an event, m.
    channels : tuple of Channel
        Channels, in the order of the traces.
    dt : float
        Sampling interval, s.
    start : float
        Time of the first sample after the origin time, s; may be negative.
    samples : int
        Number of samples of a trace.
    pulse : (k,) float
        Moment rate at the source, 1/s, whose sum times `dt` is one; its middle sample is at the origin time, k is odd.
    """

    box: Floats
    channels: tuple[Channel, ...]
    dt: float
    start: float
    samples: int
    pulse: Floats

    def elementary(self, positions: Floats, slopes: bool = False) -> Elementary:
        """Return the elementary seismograms of events at `positions` (n, 3), m.

        Raises
        ------
        ValueError
            If a position is outside the box.
        """
