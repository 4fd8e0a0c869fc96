"""What filling a table takes: grid, time steps, nodes of the table; and what is refused before anything runs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from vip.errors import ConfigError
from vip.forward.waveform.earth import Earth, faults
from vip.forward.waveform.elementary import Channel
from vip.kernels_c.elastic3d import Absorber, Solver, largest_time_step, points_per_wavelength
from vip.protocols import Floats

VERSION = 1
"""Version of what a table means."""
ONE_PERCENT = math.sqrt(2 * math.log(100)) / (2 * math.pi)
"""Standard deviation of a Gaussian, times the frequency at which its spectrum is 1 % of that at zero."""
REACH = 6.0
"""Half the length of the pulse, in its standard deviations."""
KNOTS = 4
"""Samples in a period of the highest frequency that waveforms need, as knots of cubic splines."""
COURANT = 0.8
"""Largest time step of the solver, in that at which it becomes unstable."""
LEAST_POINTS = {4: 5.0, 8: 3.0}
"""Least number of nodes in the shortest wavelength at the highest frequency, by order; the peak has 2.6 times as many."""
FACTORS = (4, 2, 1)
"""How many of the nearest nodes a table may step over, at most."""
LEAST_NODES = 4
"""Least number of nodes of a table along an axis."""
RIM = 2
"""Cells beyond a place that the splines there hardly reach; until waves have crossed them, the solver goes on."""


@dataclass(frozen=True)
class Plan:
    """How a table is filled. Lengths are in m, times in s.

    Parameters
    ----------
    earth : Earth
    channels : sequence of Channel
    box : (3, 2) array_like
        Least and greatest x, y and depth of events.
    frequency : float
        Highest frequency, Hz: the moment rate is a Gaussian whose spectrum there is 1 % of that at zero.
    dt, duration : float
        Sampling interval, and the time after the origin time at which traces end.
    tolerance : float
        Part of a trace's energy that the table may lose.
    every : int
        Least distance of the table's nodes, in nodes of the earth.
    order, layer, free_surface
        See `vip.kernels_c.elastic3d.Solver` and `Absorber`.

    Raises
    ------
    ConfigError
        If the grid does not carry the frequency, the box or a receiver is not in the earth, or a velocity or a direction cannot
        be; the message says what would be right.
    """

    earth: Earth
    channels: tuple[Channel, ...]
    box: Floats
    frequency: float
    dt: float
    duration: float
    tolerance: float = 0.01
    every: int = 2
    order: int = 4
    layer: int = 10
    free_surface: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "box", np.asarray(self.box, float).reshape(3, 2))
        for fault in faults(self.earth):
            raise fault
        if not self.channels:
            raise ConfigError("receivers", "no channel", "expected at least one")
        self._check_band()
        for axis, wanted, has in zip("xyz", self.box, self.earth.box, strict=True):
            if not has[0] <= wanted[0] < wanted[1] <= has[1]:
                said = f"{axis} from {wanted[0]:g} to {wanted[1]:g} m"
                raise ConfigError("box", said, f"must grow, inside the earth, {has[0]:g} to {has[1]:g} m")
        for channel in self.channels:
            self._check(channel)
        _ = self.nodes

    @property
    def width(self) -> float:
        """Standard deviation of the Gaussian moment rate, s."""
        return ONE_PERCENT / self.frequency

    @property
    def half(self) -> int:
        """Samples of the pulse before its middle, which is as late as the origin time."""
        return math.ceil(REACH * self.width / self.dt)

    @property
    def samples(self) -> int:
        """Number of samples of a trace, the first at the beginning of the pulse."""
        return self.half + math.floor(self.duration / self.dt + 1e-9) + 1

    @property
    def start(self) -> float:
        """Time of the first sample after the origin time, s."""
        return -self.half * self.dt

    @property
    def pulse(self) -> Floats:
        """Moment rate (k,) at the source, 1/s."""
        rate = np.exp(-0.5 * (np.arange(-self.half, self.half + 1) * self.dt / self.width) ** 2)
        made: Floats = rate / (rate.sum() * self.dt)
        return made

    def rate(self, times: Floats) -> Floats:
        """Moment rate, 1/s, at times of the solver, whose zero is that of the first sample."""
        u = (times + self.start) / self.width
        made: Floats = np.exp(-0.5 * u**2) / (self.width * math.sqrt(2 * math.pi))
        return made

    @property
    def per_knot(self) -> int:
        """Samples of a trace from one knot of the waveforms' splines to the next."""
        return max(1, math.floor(1 / (KNOTS * self.frequency * self.dt) + 1e-9))

    @property
    def knot(self) -> float:
        """Time between two knots, s."""
        return self.per_knot * self.dt

    @property
    def steps_per_knot(self) -> int:
        """Time steps of the solver from knot to knot."""
        limit = largest_time_step(tuple(self.earth.spacing), float(self.earth.vp.max()), self.order)
        return math.ceil(self.knot / (COURANT * limit))

    @property
    def knots(self) -> int:
        """Number of knots at which strains are taken, the first at rest.

        The solver goes on after the end of the traces: until the waves have crossed the cells around a place, and the traces of
        their nodes have been brought to zero.
        """
        beyond = RIM * FACTORS[0] * self.every * float(self.earth.spacing.max()) / float(self.earth.vp.min())
        return math.ceil((self.half * self.dt + self.duration + beyond + 1 / self.frequency) / self.knot) + 2

    @property
    def steps(self) -> int:
        """Number of time steps of the solver."""
        return self.knots * self.steps_per_knot + 1

    @cached_property
    def nodes(self) -> tuple[tuple[int, int], ...]:
        """First node of the earth, and number of cells of `every` nodes, along x, y and depth: they cover the box."""
        found = []
        for axis, (low, high), first, h, n in zip(
            "xyz", self.box, self.earth.origin, self.earth.spacing, self.earth.vp.shape, strict=True
        ):
            begin, end = math.floor((low - first) / h + 1e-9), math.ceil((high - first) / h - 1e-9)
            for whole in FACTORS:
                cells = whole * max(math.ceil((end - begin) / (self.every * whole)), math.ceil((LEAST_NODES - 1) / whole))
                at = min(begin, n - 1 - cells * self.every)
                if at >= 0:
                    break
            else:
                remedy = f"the earth has no {cells * self.every + 1} nodes for it: make `every` smaller"
                raise ConfigError("every", self.every, f"{remedy} (axis {axis})")
            found.append((at, cells))
        return tuple(found)

    @property
    def factors(self) -> tuple[int, ...]:
        """Distances of the table's nodes, in cells, that fit, the largest first."""
        return tuple(f for f in FACTORS if all(c % f == 0 and c // f + 1 >= LEAST_NODES for _, c in self.nodes))

    def axes(self, factor: int = 1) -> tuple[Floats, Floats, Floats]:
        """Coordinates of the table's nodes along x, y and depth, m."""
        x, y, z = (
            o + h * (at + self.every * factor * np.arange(cells // factor + 1))
            for (at, cells), o, h in zip(self.nodes, self.earth.origin, self.earth.spacing, strict=True)
        )
        return x, y, z

    @property
    def mark(self) -> str:
        """Hash of all that the traces depend on but channels and places: tables of one mark fit together."""
        what = (VERSION, self.earth.mark, self.frequency, self.dt, self.duration, self.order, self.layer, self.free_surface)
        return hashlib.sha256(repr(what).encode()).hexdigest()[:24]

    def mark_of(self, channel: Channel) -> str:
        """Hash of all that the part of a table for one channel depends on."""
        what = (self.mark, tuple(channel), self.box.tolist(), self.tolerance, self.every)
        return hashlib.sha256(repr(what).encode()).hexdigest()[:24]

    def solver(self, threads: int = 1) -> Solver:
        """The solver for all channels."""
        e = self.earth
        return Solver(
            e.vp,
            e.vs,
            e.density,
            tuple(e.spacing),
            self.knot / self.steps_per_knot,
            self.order,
            Absorber(self.layer, self.free_surface),
            threads=threads,
        )

    @property
    def scratch_bytes(self) -> int:
        """Size of the file that keeps strains while a channel is filled."""
        return 4 * 6 * self.knots * math.prod(cells + 1 for _, cells in self.nodes)

    def _check_band(self) -> None:
        """The grid must carry the frequency in space, and the samples in time."""
        e = self.earth
        for name, wave, values in (("vs", "S", e.vs[e.vs > 0]), ("vp", "P", e.vp)):
            if not values.size:
                continue
            slowest, least = float(values.min()), LEAST_POINTS[self.order]
            points = points_per_wavelength(tuple(e.spacing), slowest, self.frequency)
            if points < least:
                fits = slowest / (least * float(e.spacing.max()))
                raise ConfigError(
                    "frequency",
                    f"{self.frequency:g} Hz: {points:.2g} nodes in the shortest wavelength of {wave}, {name} {slowest:g} m/s",
                    f"order {self.order} needs {least:g}: at most {fits:.4g} Hz, or a spacing of at most "
                    f"{slowest / (least * self.frequency):.4g} m",
                )
        longest = 1 / (KNOTS * self.frequency)
        if self.dt > longest * (1 + 1e-9):
            raise ConfigError("dt", self.dt, f"must be at most {longest:.4g} s for waves of {self.frequency:g} Hz")

    def _check(self, channel: Channel) -> None:
        """A receiver must be in the earth, one of velocity with a direction, and the wave must arrive before traces end."""
        name, at = f"receiver {channel.station} {channel.name}", np.array(channel.position, float)
        if not ((self.earth.box[:, 0] <= at) & (at <= self.earth.box[:, 1])).all():
            raise ConfigError(name, list(channel.position), f"is outside the earth, {self.earth.box.tolist()} m")
        if channel.kind == "velocity":
            length = float(np.linalg.norm(channel.direction))
            if abs(length - 1) > 1e-6:
                raise ConfigError(name, list(channel.direction), f"must be a unit vector; its length is {length:g}")
        nearest = np.linalg.norm(at - np.clip(at, self.box[:, 0], self.box[:, 1]))
        first = float(nearest) / float(self.earth.vp.max())
        if first > self.duration:
            raise ConfigError("duration", self.duration, f"{name} is reached after {first:.3g} s at the earliest")

    @staticmethod
    def check_different(channels: Sequence[Channel]) -> None:
        """Raise `ConfigError` if a channel is there twice."""
        for a, b in pairwise(sorted(channels, key=lambda c: c[:2])):
            if a[:2] == b[:2]:
                raise ConfigError("receivers", f"{a.station} {a.name}", "is there twice")
