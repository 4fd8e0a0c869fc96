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
from forward.hypocenter.waiting import Waiting
from kernels_c.eikonal3d import solve
from kernels_c.timetables import TimeTables

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
        n_r, n_z = (int(np.ceil(length / self.spacing)) + MARGIN for length in (furthest, bottom + furthest - first))
        depth = first + self.spacing * np.arange(n_z)
        cells = depth[:, None] + self.spacing * WITHIN_CELL
        profile = {phase: 1 / np.mean(1 / model.at(phase, cells), axis=1) for phase in set(phases)}
        n_z = max(deepest(depth, velocity, bottom, furthest) for velocity in profile.values()) + 1 + MARGIN
        n_kept = int(np.ceil((bottom - first) / self.spacing)) + MARGIN
        slowness = np.empty((len(stations), n_r, n_kept))
        for phase, velocity in profile.items():
            of_phase = np.flatnonzero(np.array(phases) == phase)
            at_depth = stations[of_phase] * [0, 0, 1]
            volume = np.broadcast_to(velocity[:n_z], (n_r, 1, n_z))
            slowness[of_phase] = self._solved(phase, volume, at_depth, np.array([0, 0, first]))[:, :, 0, :n_kept]
        return TimeTables(slowness, stations, [0, first], [self.spacing] * 2)

    def volume(self, model: Grid3D, phases: Sequence[str], stations: Floats, projection: Projection | None) -> TimeTables:
        """Tables over x, y and depth, one for each phase and station (n, 3) of equal rank.

        The rectangle around the region and the stations may reach beyond the model, whose velocity goes on there.
        """
        first = np.minimum(self.box.lower, stations.min(axis=0))
        last = np.maximum(self.box.upper, stations.max(axis=0))
        kept, last[2] = last[2], self._deepest(model, phases, last - first, last[2])
        shape = np.ceil((last - first) / self.spacing).astype(int) + 1
        nodes = [start + self.spacing * np.arange(n) for start, n in zip(first, shape, strict=True)]
        x, y, depth = (axis.ravel() for axis in np.meshgrid(*nodes, indexing="ij"))
        points = model.from_map(x, y, depth, projection)
        n_kept = int(np.ceil((kept - first[2]) / self.spacing)) + 1
        slowness = np.empty((len(stations), *shape[:2], n_kept))
        for phase in set(phases):
            velocity = model.at(phase, points)
            of_phase = np.flatnonzero(np.array(phases) == phase)
            slowness[of_phase] = self._solved(phase, velocity.reshape(shape), stations[of_phase], first)[..., :n_kept]
        return TimeTables(slowness, stations, first, [self.spacing] * 3)

    def _deepest(self, model: Grid3D, phases: Sequence[str], extent: Floats, bottom: float) -> float:
        """As far down as first arrivals go through the mean of the model over each depth, km, but not below the model."""
        depth = np.arange(bottom, max(model.axes[2][-1], bottom + self.spacing), self.spacing)
        furthest = float(np.hypot(*extent[:2]))
        means = (1 / np.mean(1 / model.velocity[phase], axis=(0, 1)) for phase in set(phases))
        profiles = (np.interp(depth, model.axes[2], mean) for mean in means)
        return float(max(depth[deepest(depth, profile, bottom, furthest)] for profile in profiles))

    def _solved(self, phase: str, velocity: Floats, sources: Floats, origin: Floats) -> Floats:
        """Mean slowness (n, *shape), s/km, from each source (n, 3): from the cache, or solved and put there."""
        velocity = np.ascontiguousarray(velocity)
        files = [self._file(velocity, source, origin) for source in sources]
        missing = {file: i for i, file in enumerate(files) if not file.is_file()}  # in layers, stations may share a depth
        waiting = Waiting(f"travel times of {phase} on {velocity.size:.3g} nodes", len(missing), "tables")
        step = np.full(3, self.spacing)
        for done in range(0, len(missing), self.threads):
            waiting(done)
            chosen = list(missing)[done : done + self.threads]
            places = sources[[missing[file] for file in chosen]]
            found = solve(velocity, places, step, origin=origin, factored=True, threads=self.threads)
            for file, table in zip(chosen, found, strict=True):
                _save(file, table)
        return np.stack([np.load(file) for file in files])

    def _file(self, velocity: Floats, source: Floats, origin: Floats) -> Path:
        key = hashlib.sha256(velocity.tobytes())
        key.update(np.array([*velocity.shape, *source, *origin, self.spacing], float).tobytes())
        return self.cache / f"{key.hexdigest()[:32]}.npy"


def deepest(depth: Floats, velocity: Floats, bottom: float, furthest: float) -> int:
    """The deepest node that a first arrival needs, if its ends are not below `bottom`, km, and at most `furthest` km apart.

    Between ends at the bottom and X apart, a ray of parameter p that turns at a depth d takes
    ``p X + 2 int_bottom^d sqrt(1 / v^2 - p^2) dz``, with p the least slowness that it meets. The first to arrive is the one for
    which this is least; it turns the deeper the longer X is, and the deeper the ends are.

    Examples
    --------
    Refracted below 30 km, where the ends are far enough:

    >>> depth = np.arange(60.0)
    >>> velocity = np.where(depth < 30, 6.0, 8.0)
    >>> deepest(depth, velocity, 10.0, 50.0), deepest(depth, velocity, 10.0, 200.0)
    (10, 30)
    """
    at = int(np.searchsorted(depth, bottom))
    least = np.minimum.accumulate(1 / velocity)[at:]
    below, spacing = 1 / velocity[at:], np.diff(depth, prepend=depth[0])[at:]
    legs = [2 * np.sum(spacing[:i] * np.sqrt(np.maximum(below[:i] ** 2 - least[i] ** 2, 0))) for i in range(len(below))]
    return at + int(np.argmin(least * furthest + legs))


def default_cache() -> Path:
    """The user's folder for what can be made again."""
    return Path(pooch.os_cache("vip")) / "travel_times"


def _save(file: Path, table: Floats) -> None:
    """Never half a file: other runs may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.npy")
    np.save(part, table.astype(np.float32))
    part.replace(file)
