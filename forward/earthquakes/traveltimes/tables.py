"""Tables of travel times: one solve of the eikonal equation for each station and phase, by reciprocity, kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
from numpy.typing import NDArray

from vip.files import whole
from vip.forward.earthquakes.projection import Projection
from vip.forward.earthquakes.velocity import Grid3D, Layered
from vip.kernels_c.eikonal3d import solve
from vip.kernels_c.timetables import TimeTables
from vip.progress import Waiting
from vip.protocols import Floats

Ints = NDArray[np.intp]

WITHIN_CELL = (np.arange(16) + 0.5) / 16 - 0.5
"""Places within a cell, in cells, at which slownesses are averaged, so that layers need not end at nodes."""
MARGIN = 3
"""Number of nodes beyond the region and the stations."""


class Box(NamedTuple):
    """Box in which hypocentres may be."""

    lower: Floats
    """Lower corner (3,): x, y and depth, km."""
    upper: Floats


class Solver(NamedTuple):
    """Settings by which tables are made.

    Attributes
    ----------
    box : Box
    spacing : float
        Spacing of the nodes, km.
    cache : path, optional
        Folder of tables that were solved before; without one, they are solved and not kept.
    threads : int
    """

    box: Box
    spacing: float
    cache: Path | None
    threads: int = 1

    def layered(self, model: Layered, phases: Sequence[str], stations: Floats) -> TimeTables:
        """Tables over distance and depth, one for each phase and station (n, 3: x, y, depth) of equal rank."""
        lower, upper = self.reach(stations)
        first, n_r = lower[2] - MARGIN * self.spacing, int(np.ceil(self._furthest(stations) / self.spacing)) + MARGIN
        n_z = int(np.ceil((upper[2] - first) / self.spacing)) + MARGIN
        slowness = np.empty((len(stations), n_r, n_z))
        for phase in set(phases):
            of_phase = np.flatnonzero(np.array(phases) == phase)
            profile = self.profile(model, phase, stations)
            volume = np.broadcast_to(profile, (n_r, 1, len(profile)))
            at_depth = stations[of_phase] * [0, 0, 1]
            slowness[of_phase] = self._solved(phase, volume, at_depth, np.array([0, 0, first]))[:, :, 0, :n_z]
        return TimeTables(slowness, stations, [0, first], [self.spacing] * 2)

    def volume(self, model: Grid3D, phases: Sequence[str], stations: Floats, projection: Projection | None) -> TimeTables:
        """Tables over x, y and depth, one for each phase and station (n, 3) of equal rank.

        The rectangle around the region and the stations may reach beyond the model, whose velocity goes on there.
        """
        lower, upper = self.reach(stations)
        shape = np.ceil((upper - lower) / self.spacing).astype(int) + 1
        slowness = np.empty((len(stations), *shape))
        for phase in set(phases):
            of_phase = np.flatnonzero(np.array(phases) == phase)
            velocity = self.sampled(model, phase, stations, projection)
            slowness[of_phase] = self._solved(phase, velocity, stations[of_phase], lower)[..., : shape[2]]
        return TimeTables(slowness, stations, lower, [self.spacing] * 3)

    def reach(self, stations: Floats) -> Box:
        """Box around the region and the stations (n, 3)."""
        return Box(np.minimum(self.box.lower, stations.min(axis=0)), np.maximum(self.box.upper, stations.max(axis=0)))

    def profile(self, model: Layered, phase: str, stations: Floats) -> Floats:
        """Velocities (n,), km/s, averaged over a cell around each node, from above all ends of rays to below all rays."""
        lower, upper = self.reach(stations)
        furthest = self._furthest(stations)
        depth = np.arange(lower[2] - MARGIN * self.spacing, upper[2] + furthest + self.spacing, self.spacing)
        velocity: Floats = 1 / np.mean(1 / model.at(phase, depth[:, None] + self.spacing * WITHIN_CELL), axis=1)
        return velocity[: deepest(depth, velocity, upper[2], furthest) + 1 + MARGIN]

    def sampled(self, model: Grid3D, phase: str, stations: Floats, projection: Projection | None) -> Floats:
        """Velocities (nx, ny, nz), km/s, on nodes from `reach` to the deepest of the rays, but not below the model."""
        lower, upper = self.reach(stations)
        below = np.arange(upper[2], max(model.axes[2][-1], upper[2] + self.spacing), self.spacing)
        mean = 1 / np.mean(1 / model.velocity[phase], axis=(0, 1))
        furthest = float(np.hypot(*(upper - lower)[:2]))
        upper[2] = below[deepest(below, np.interp(below, model.axes[2], mean), upper[2], furthest)]
        shape = np.ceil((upper - lower) / self.spacing).astype(int) + 1
        nodes = [start + self.spacing * np.arange(n) for start, n in zip(lower, shape, strict=True)]
        x, y, depth = (axis.ravel() for axis in np.meshgrid(*nodes, indexing="ij"))
        return model.at(phase, model.from_map(x, y, depth, projection)).reshape(shape)

    def _furthest(self, stations: Floats) -> float:
        """Horizontal distance, km, of a station and a corner of the region."""
        corners = np.stack(np.meshgrid(*zip(self.box.lower[:2], self.box.upper[:2], strict=True)), axis=-1).reshape(-1, 2)
        return float(np.linalg.norm(corners[:, None] - stations[None, :, :2], axis=2).max())

    def _solved(self, phase: str, velocity: Floats, sources: Floats, origin: Floats) -> Floats:
        """Mean slowness (n, *shape), s/km, from each source (n, 3): from the cache, or solved and put there."""
        velocity, step = np.ascontiguousarray(velocity), np.full(3, self.spacing)
        if self.cache is None:
            places, each = np.unique(sources, axis=0, return_inverse=True)
            solved: Floats = solve(velocity, places, step, origin=origin, factored=True, threads=self.threads)
            return solved[each]
        files = [self.cache / _name(velocity, source, origin, self.spacing) for source in sources]
        missing = {file: i for i, file in enumerate(files) if not file.is_file()}  # in layers, stations may share a depth
        waiting = Waiting(f"travel times of {phase} on {velocity.size:.3g} nodes", len(missing), "tables")
        for done in range(0, len(missing), self.threads):
            waiting(done)
            chosen = list(missing)[done : done + self.threads]
            places = sources[[missing[file] for file in chosen]]
            found = solve(velocity, places, step, origin=origin, factored=True, threads=self.threads)
            for file, table in zip(chosen, found, strict=True):
                _save(file, table)
        return np.stack([np.load(file) for file in files])


def deepest(depth: Floats, velocity: Floats, bottom: float, furthest: float) -> int:
    """Deepest node (index) that a first arrival needs, if its ends are not below `bottom`, km, and at most `furthest` km apart.

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
    """Folder of travel times in the user's cache."""
    return Path(pooch.os_cache("vip")) / "travel_times"


def _name(velocity: Floats, source: Floats, origin: Floats, spacing: float) -> str:
    """Name of the file of a table in a cache."""
    key = hashlib.sha256(velocity.tobytes())
    key.update(np.array([*velocity.shape, *source, *origin, spacing], float).tobytes())
    return f"{key.hexdigest()[:32]}.npy"


def _save(file: Path, table: Floats) -> None:
    """Write a table to a file, which appears as a whole, since other runs may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as part, part.open("wb") as opened:
        np.save(opened, table.astype(np.float32))
