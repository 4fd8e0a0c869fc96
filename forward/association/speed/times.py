"""Travel times by the code of velocities: tables at a code, and how times change with each of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from vip.forward.association.speed.code import Family
from vip.forward.association.speed.rays import along_rays
from vip.forward.association.window.channels import Channels, Ints
from vip.forward.earthquakes.projection import Projection
from vip.forward.earthquakes.traveltimes.tables import Solver
from vip.forward.earthquakes.velocity import Grid3D, Layered
from vip.kernels_c.timetables import TimeTables
from vip.protocols import Floats

STEP = 0.005
"""Step of an entry of a code over which times are compared: far above the rounding of tables, far below what bends times."""


FAR = 0.3
"""Change of an entry of a code beyond which derivatives are no longer those of the code before."""


class Changed(NamedTuple):
    """Tables of the channels whose times change with one entry of a code."""

    entry: int
    channel: Ints
    tables: TimeTables


class Derivatives(Protocol):
    """How times change with a code, near one code."""

    @property
    def code(self) -> Floats:
        """The code (size,)."""

    def at(self, x: Floats) -> Floats:
        """Derivatives (n, n_channels, size), s, of the travel times from places x (n, 3), km, by each entry of the code."""


class Differences(NamedTuple):
    """How times in layers change with a code: differences of tables, which are small, and right along a refracting layer."""

    code: Floats
    tables: TimeTables
    """Tables of this code."""
    changed: Sequence[Changed]
    """Tables of a code that is a `STEP` larger in one entry, for each entry that changes times."""

    def at(self, x: Floats) -> Floats:
        """Derivatives (n, n_channels, size), s, of the travel times from places x (n, 3), km, by each entry of the code."""
        n = len(self.tables.places)
        found = np.zeros((len(x), n, len(self.code)))
        time, _ = self.tables.evaluate(x[:, None], np.zeros(n, int), np.arange(n))
        for k, channel, tables in self.changed:
            later, _ = tables.evaluate(x[:, None], np.zeros(len(channel), int), np.arange(len(channel)))
            found[:, channel, k] = (later - time[:, channel]) / STEP
        return found


class Near(NamedTuple):
    """Times of one code, and how they change."""

    code: Floats
    channels: Channels
    """Channels with the tables of this code."""
    derivatives: Derivatives
    """Those of this code, or of one not far from it."""


class TimesOfCode(NamedTuple):
    """Travel times to channels by the code of the velocities.

    Attributes
    ----------
    family : Family
    solver : Solver
        One without a cache: each code is used once.
    projection : Projection, optional
        Map of the places, for velocities in degrees.
    """

    family: Family
    solver: Solver
    projection: Projection | None = None

    def at(self, channels: Channels, code: Floats) -> Channels:
        """Channels with the tables of a code."""
        tables = self._tables(self.family.model(code), channels, np.arange(len(channels)))
        return Channels(channels.station, channels.phase, channels.place, tables, channels.correction)

    def near(self, channels: Channels, code: Floats, before: Near | None = None) -> Near:
        """Times of a code; derivatives are those of the code before unless it is far away."""
        found = self.at(channels, code)
        if before and np.abs(code - before.derivatives.code).max(initial=0.0) < FAR:
            return Near(code, found, before.derivatives)
        return Near(code, found, self._derivatives(found, code))

    def _derivatives(self, channels: Channels, code: Floats) -> Derivatives:
        """In layers, tables are solved for the phases alone whose velocities change with an entry of the code."""
        model, changed = self.family.model(code), []
        if isinstance(model, Grid3D):
            return along_rays(self.family, code, channels, self.projection)
        for k, step in enumerate(STEP * np.eye(len(code))):
            other = self.family.model(code + step)
            phases = [p for p in sorted(model.phases) if not np.array_equal(model.velocity[p], other.velocity[p])]
            channel = np.flatnonzero(np.isin(channels.phase, phases))
            if len(channel):
                changed.append(Changed(k, channel, self._tables(other, channels, channel)))
        return Differences(code, channels.tables, changed)

    def _tables(self, model: Layered | Grid3D, channels: Channels, chosen: Ints) -> TimeTables:
        phases, places = channels.phase[chosen].tolist(), channels.place[chosen]
        if isinstance(model, Layered):
            return self.solver.layered(model, phases, places)
        return self.solver.volume(model, phases, places, self.projection)
