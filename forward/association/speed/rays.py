"""How travel times change with speeds: along the ray, by Fermat's principle, for all entries of a code at the price of one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.forward.association.speed.code import Family
from vip.forward.association.window.channels import Channels, Ints
from vip.forward.earthquakes.projection import Projection
from vip.forward.earthquakes.velocity import Grid3D
from vip.protocols import Floats

PARTS = 16
"""Number of parts of a ray."""
STEP = 1e-3
"""Step of an entry of a code over which velocities are compared."""


def rays(channels: Channels, x: Floats, channel: Ints) -> Floats:
    """Places (n, PARTS + 1, 3), km, along the first rays from places x (n, 3) to the stations of channels (n,).

    A ray runs against the gradient of the time: each part has an equal share of the straight way that is left, and the
    direction in its middle (the midpoint rule).
    """
    tables, station = channels.tables, channels.place[channel]
    lower = tables.origin
    upper = lower + tables.spacing * (np.array(tables.shape) - 1)
    each, at = np.arange(len(x)), np.clip(x, lower, upper)

    def onwards(place: Floats) -> Floats:
        _, gradient = tables.evaluate(place[None], each, channel)
        downhill = -gradient[:, 0].T
        unit: Floats = downhill / np.maximum(np.linalg.norm(downhill, axis=1, keepdims=True), np.finfo(float).tiny)
        return unit

    places = [at]
    for left in range(PARTS, 1, -1):
        length = np.linalg.norm(at - station, axis=1, keepdims=True) / left
        middle = np.clip(at + length / 2 * onwards(at), lower, upper)
        at = np.clip(at + length * onwards(middle), lower, upper)
        places.append(at)
    return np.stack([*places, station], axis=1)


class AlongRays(NamedTuple):
    """How times in a volume change with its code, near one code: the integral of the change of slowness along the ray."""

    code: Floats
    channels: Channels
    """Channels with the tables of this code, over x, y and depth."""
    model: Grid3D
    """Velocities of this code."""
    change: Grid3D
    """Derivatives (ny, nx, nz, size), km/s, of the velocities at the nodes by each entry of the code."""
    projection: Projection | None

    def at(self, x: Floats) -> Floats:
        """Derivatives (n, n_channels, size), s, of the travel times from places x (n, 3), km, by each entry of the code."""
        n = len(self.channels)
        channel = np.tile(np.arange(n), len(x))
        places = rays(self.channels, np.repeat(x, n, axis=0), channel)
        length = np.linalg.norm(np.diff(places, axis=1), axis=2)
        change = self._changes((places[:, 1:] + places[:, :-1]) / 2, channel)
        changes: Floats = np.einsum("rp,rpk->rk", length, change).reshape(len(x), n, len(self.code))
        return changes

    def _changes(self, places: Floats, channel: Ints) -> Floats:
        """Derivatives (n_rays, n_places, size), s/km, of the slownesses at places (n_rays, n_places, 3) by the code."""
        found = np.empty((*places.shape[:2], len(self.code)))
        for phase in np.unique(self.channels.phase):
            own = self.channels.phase[channel] == phase
            x, y, depth = places[own].reshape(-1, 3).T
            points = self.model.from_map(x, y, depth, self.projection)
            velocity, change = self.model.at(phase, points), self.change.at(phase, points)
            found[own] = (-change / velocity[:, None] ** 2).reshape(-1, places.shape[1], len(self.code))
        return found


def along_rays(family: Family, code: Floats, channels: Channels, projection: Projection | None) -> AlongRays:
    """How times in a volume change near a code of a family, for channels with the tables of this code.

    The velocities of nodes are compared here, once for all places.
    """
    model, changed = _model(family, code), [_model(family, code + step) for step in STEP * np.eye(len(code))]
    change = {
        phase: np.stack([other.velocity[phase] - velocity for other in changed], axis=-1) / STEP
        for phase, velocity in model.velocity.items()
    }
    return AlongRays(code, channels, model, model._replace(velocity=change), projection)


def _model(family: Family, code: Floats) -> Grid3D:
    model = family.model(code)
    if not isinstance(model, Grid3D):
        raise TypeError(type(model).__name__)
    return model
