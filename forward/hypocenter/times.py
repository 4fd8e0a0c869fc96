"""Tables of travel times: one solve of the eikonal equation for each station and phase, by reciprocity, kept on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
from numpy.typing import NDArray

from forward.hypocenter.projection import Projection
from forward.hypocenter.velocity import Grid3D, Layered
from kernels_c.eikonal3d import solve
from kernels_c.timetables import TimeTables
from vip.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

WITHIN_CELL = (np.arange(16) + 0.5) / 16 - 0.5
"""Places within a cell, in cells, whose slownesses are averaged: layers need not end at nodes."""
MARGIN = 3
"""Nodes beyond the region and the stations."""


class Box(NamedTuple):
    """Where hypocentres may be."""

    lower: Floats
    """(3,) x, y and depth, km."""
    upper: Floats


class Solver(NamedTuple):
    """What tables are made with.

    Attributes
    ----------
    box : Box
    spacing : float
        Of the nodes, km.
    cache : path
        Folder of what was solved before.
    threads : int
    """

    box: Box
    spacing: float
    cache: Path
    threads: int = 1

    def layered(self, model: Layered, phases: Sequence[str], stations: Floats) -> TimeTables:
        """Tables over distance and depth, one for each phase and station (n, 3: x, y, depth) of equal rank."""
        corners = np.stack(np.meshgrid(*zip(self.box.lower[:2], self.box.upper[:2], strict=True)), axis=-1).reshape(-1, 2)
        furthest = np.linalg.norm(corners[:, None] - stations[None, :, :2], axis=2).max()
        top, bottom = min(self.box.lower[2], stations[:, 2].min()), max(self.box.upper[2], stations[:, 2].max())
        first = top - MARGIN * self.spacing
        n_r, n_z = (int(np.ceil(length / self.spacing)) + MARGIN for length in (furthest, bottom - first))
        depth = first + self.spacing * np.arange(n_z)
        slowness = np.empty((len(stations), n_r, n_z))
        for phase in set(phases):
            cells = depth[:, None] + self.spacing * WITHIN_CELL
            velocity = 1 / np.mean(1 / model.at(phase, cells), axis=1)
            of_phase = np.flatnonzero(np.array(phases) == phase)
            at_depth = stations[of_phase] * [0, 0, 1]
            volume = np.broadcast_to(velocity, (n_r, 1, n_z))
            slowness[of_phase] = self._solved(volume, at_depth, np.array([0, 0, first]))[:, :, 0]
        return TimeTables(slowness, stations, [0, first], [self.spacing] * 2)

    def volume(self, model: Grid3D, phases: Sequence[str], stations: Floats, projection: Projection | None) -> TimeTables:
        """Tables over x, y and depth, one for each phase and station (n, 3) of equal rank.

        Raises
        ------
        ConfigError
            If the region or a station lies outside the velocity model.
        """
        nodes = self.nodes(stations)
        first = np.array([axis[0] for axis in nodes])
        slowness = np.empty((len(stations), *(len(axis) for axis in nodes)))
        for phase in set(phases):
            of_phase = np.flatnonzero(np.array(phases) == phase)
            slowness[of_phase] = self._solved(self.sampled(model, phase, stations, projection), stations[of_phase], first)
        return TimeTables(slowness, stations, first, [self.spacing] * 3)

    def nodes(self, stations: Floats) -> list[Floats]:
        """Along x, y and depth, km, such that they reach around the box and the stations (n, 3)."""
        first = np.minimum(self.box.lower, stations.min(axis=0))
        last = np.maximum(self.box.upper, stations.max(axis=0))
        shape = np.ceil((last - first) / self.spacing).astype(int) + 1
        return [start + self.spacing * np.arange(n) for start, n in zip(first, shape, strict=True)]

    def sampled(self, model: Grid3D, phase: str, stations: Floats, projection: Projection | None) -> Floats:
        """Velocities (nx, ny, nz) on the nodes, km/s.

        Raises
        ------
        ConfigError
            If the region or a station lies outside the velocity model.
        """
        nodes = self.nodes(stations)
        x, y, depth = (axis.ravel() for axis in np.meshgrid(*nodes, indexing="ij"))
        points = (y, x) if projection is None else projection.to_geographic(x, y)
        velocity = model.at(phase, np.stack([*points, depth], axis=1))
        outside = np.flatnonzero(np.isnan(velocity))
        if len(outside):
            where = ", ".join(f"{axis[outside[0]]:g}" for axis in (*points, depth))
            raise ConfigError("velocity", where, "the region or a station lies outside the model: make the region smaller")
        return velocity.reshape([len(axis) for axis in nodes])

    def _solved(self, velocity: Floats, sources: Floats, origin: Floats) -> Floats:
        """Mean slowness (n, *shape), s/km, from each source (n, 3): from the cache, or solved and put there."""
        velocity = np.ascontiguousarray(velocity)
        files = [self._file(velocity, source, origin) for source in sources]
        missing = [i for i, file in enumerate(files) if not file.is_file()]
        if missing:
            step = np.full(3, self.spacing)
            found = solve(velocity, sources[missing], step, origin=origin, factored=True, threads=self.threads)
            for i, table in zip(missing, found, strict=True):
                _save(files[i], table)
        return np.stack([np.load(file) for file in files])

    def _file(self, velocity: Floats, source: Floats, origin: Floats) -> Path:
        key = hashlib.sha256(velocity.tobytes())
        key.update(np.array([*velocity.shape, *source, *origin, self.spacing], float).tobytes())
        return self.cache / f"{key.hexdigest()[:32]}.npy"


def default_cache() -> Path:
    """The user's folder for what can be made again."""
    return Path(pooch.os_cache("vip")) / "travel_times"


def _save(file: Path, table: Floats) -> None:
    """Never half a file: other runs may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.npy")
    np.save(part, table.astype(np.float32))
    part.replace(file)
