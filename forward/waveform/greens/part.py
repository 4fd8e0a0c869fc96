"""The part of a table for one channel: waveforms that a few functions of time make up, between the nodes of a coarse grid.

A trace at distance r from the receiver, where P arrives at the time T, is

    g(t) = a(t - T) / sqrt(r^2 + e^2),   a(tau) = sum over i of c_i b_i(tau).

The waveforms a are as long as traces, but alike from place to place: P is at tau = 0 in all, and geometrical spreading is
taken out, so that few functions b of time make them up, and their coefficients c are smooth in space, once they are those of
quantities that are continuous where the earth is not, see materials.py. c, b and T / r are cubic B-splines; T / r is smooth at
the receiver too, where T is not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens.materials import Materials
from vip.kernels_c.seismograms import Seismograms
from vip.kernels_c.timetables import TimeTables
from vip.protocols import Floats

KM = 1000.0
ROUNDING = 1e-9
"""Part of a spacing by which rounding, of m to km for instance, may put a place on the border of a table outside it."""
LEAD = 2
"""Knots of a waveform before the beginning of the pulse, where it is zero."""


class Loss(NamedTuple):
    """Part of a trace's energy that a part of a table loses.

    Attributes
    ----------
    rank : float
        Lost because a few functions of time make up all waveforms; mean over the nodes.
    mean, median, worst : float
        Lost at places between nodes, all causes together: mean, median and 95th percentile.
    bound : bool
        Whether these are those of a table with half as many nodes along each axis, which loses more: there are no places to
        compare with.
    """

    rank: float
    mean: float
    median: float
    worst: float
    bound: bool


class Part(NamedTuple):
    """What a table keeps for a channel.

    Attributes
    ----------
    channel : Channel
    mark : str
        Hash of what it was made from.
    coefficients : (x + 2, y + 2, z + 2, 6, rank) float16
        Coefficients in space of the coefficients of the waveforms, of each component of `TENSOR`.
    basis : (rank, knots) float32
        Coefficients in time of the functions of time, Pa m or m^2/s for a moment of 1 N m.
    slowness : (x, y, z) float64
        Time of P over the distance from the receiver on the nodes, s/km.
    origin, spacing : (3,) float
        First node, and distance of the nodes, m.
    softening : float
        Distance e, m.
    loss : Loss
    """

    channel: Channel
    mark: str
    coefficients: NDArray[np.float16]
    basis: NDArray[np.float32]
    slowness: Floats
    origin: Floats
    spacing: Floats
    softening: float
    loss: Loss

    @property
    def nbytes(self) -> int:
        """Size of the arrays, which in the file is about the same."""
        return self.coefficients.nbytes + self.basis.nbytes + 4 * self.slowness.size


class Clock(NamedTuple):
    """Samples and knots of traces, see `Plan`."""

    dt: float
    start: float
    samples: int
    per_knot: int

    @property
    def knot(self) -> float:
        """Time between two knots, s."""
        return self.dt * self.per_knot


class ArrivalTimes:
    """Times of P between the nodes, and distances.

    Parameters
    ----------
    slowness, origin, spacing
        See `Part`.
    receiver : (3,) float
        Position, m.
    softening : float
        Distance e, m.
    """

    def __init__(self, slowness: Floats, origin: Floats, spacing: Floats, receiver: Floats, softening: float) -> None:
        self.receiver, self.softening = np.asarray(receiver, float), softening
        self.table = TimeTables(slowness[None], self.receiver[None] / KM, origin / KM, spacing / KM)
        rim = ROUNDING * spacing
        self._corners = origin + rim, origin + (np.array(slowness.shape) - 1) * spacing - rim

    def __call__(self, positions: Floats) -> tuple[Floats, Floats]:
        """Times (n,), s, and their slopes (n, 3), s/m, at positions (n, 3), m."""
        inside = np.clip(positions, *self._corners) / KM
        time, slope = self.table.evaluate(inside[None], np.arange(len(positions)), np.zeros(len(positions), int))
        return time[0], slope[:, 0].T / KM

    def gain(self, positions: Floats) -> tuple[Floats, Floats]:
        """Factor 1 / sqrt(r^2 + e^2) (n,), 1/m, and its slope (n, 3), 1/m^2."""
        offset = positions - self.receiver
        squared = (offset**2).sum(axis=1) + self.softening**2
        return squared**-0.5, -offset * (squared**-1.5)[:, None]


class Waveforms:
    """A part that can be asked.

    Parameters
    ----------
    part : Part
    clock : Clock
    materials : Materials
    """

    def __init__(self, part: Part, clock: Clock, materials: Materials) -> None:
        self.part, self.clock, self.materials = part, clock, materials
        self.times = ArrivalTimes(part.slowness, part.origin, part.spacing, np.array(part.channel.position), part.softening)
        self.table = Seismograms(part.coefficients, part.basis, clock.per_knot, clock.samples)

    def __call__(self, positions: Floats, slopes: bool) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Seismograms (n, 6, samples) of events at positions (n, 3), m; if wanted, slopes (n, 6, samples, 3), per m."""
        part, clock = self.part, self.clock
        time, time_slope = self.times(positions)
        gain, gain_slope = self.times.gain(positions)
        last = np.array(part.slowness.shape) - 1
        places = np.clip((positions - part.origin) / part.spacing, 0, last)
        moving = (1 / part.spacing, -time_slope / clock.knot, gain_slope) if slopes else None
        first = LEAD - time / clock.knot
        found: tuple[NDArray[np.float32], NDArray[np.float32] | None] = self.table.lookup(
            places, first, gain, moving, self.materials.at(positions)
        )
        return found
