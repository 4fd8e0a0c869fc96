"""The scheme of eikonal3d.h in plain NumPy: slow, written to be read and to hold the native kernel to.

All nodes are updated at once until nothing changes: neither pass depends on the order of the updates, so none is kept
here. Names are those of the equations in eikonal3d.h. Fields have a border of two nodes that no wave reaches.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vip.kernels_c.door import Floats
from vip.kernels_c.eikonal3d.geometry import Grid, Source

NEVER = 1e30
"""A time that no ray takes, s."""

AXES = range(3)


class Problem(NamedTuple):
    """Fields (x, y, z) and, first, those with an entry for each axis (3, x, y, z)."""

    g: Floats
    w: Floats
    t0: Floats
    s2: Floats
    fixed: NDArray[np.bool_]
    straight: Floats


def problem(velocity: Floats, grid: Grid, source: Source) -> Problem:
    """The equation's fields: derivatives g and size t0 of s0 r, metric w, squared slowness s2, and the fixed nodes."""
    x, y, z = source.along_x.T[..., None, None], source.along_y.T[:, None, :, None], source.along_z[:, None, None, :]
    aside, s0, metric = y[0] + y[1] * z[0], source.slowness, grid.metric
    r = np.sqrt(x[0] + x[1] * aside)
    half = np.broadcast_arrays(x[2] + x[3] * aside, x[1] * (y[2] + y[3] * z[0]), x[1] * y[1] * z[1])
    g = s0 * np.stack(half) / np.where(r > 0, r, np.inf)
    w = np.stack(np.broadcast_arrays(metric.weight_x, metric.weight_y[:, None, None], metric.weight_z[..., None], r)[:3])
    fixed, straight = np.zeros(grid.shape, bool), np.zeros(grid.shape)
    box = tuple(slice(a, a + n) for a, n in zip(source.first_fixed, source.time_fixed.shape, strict=True))
    fixed[box], straight[box] = True, source.time_fixed
    return Problem(g, w, s0 * r, velocity**-2.0, fixed, straight)


def beside(field: Any, axis: int, steps: int) -> Floats:
    """A field (x, y, z) shifted by a number of nodes along an axis; never outside the grid."""
    padded = np.pad(field, 2, constant_values=NEVER)
    inside: Floats = np.roll(padded, -steps, axis)[2:-2, 2:-2, 2:-2]
    return inside


def arrival(a: Floats, w: Floats, s2: Floats) -> Floats:
    """The u with sum of w max(u - a, 0)^2 = s2, from a and w (3, ...): axes join in the order of their a."""
    order = np.argsort(a, axis=0)
    a, w = np.take_along_axis(a, order, 0), np.take_along_axis(w, order, 0)
    found: Floats = a[0] + np.sqrt(s2 / w[0])
    for n in (2, 3):
        e = a[:n] - a[0]
        weight, first, second = (np.sum(w[:n] * e**power, axis=0) for power in (0, 1, 2))
        root = np.sqrt(np.maximum(first**2 - weight * (second - s2), 0))
        found = np.where(a[n - 1] < found, a[0] + (first + root) / weight, found)
    return found


def limited(p: Problem) -> Floats:
    """Squared slowness of the first pass: at least what the truncation error of s0 r needs (property 2)."""
    total = np.zeros_like(p.t0)
    for axis in AXES:
        errors = [beside(p.t0, axis, up) - p.t0 - up * p.g[axis] for up in (-1, 1)]
        worst = np.max([np.where(e < NEVER / 2, e, 0) for e in errors], axis=0)
        total += p.w[axis] * np.maximum(worst, 0) ** 2
    return np.maximum(p.s2, 1.1 * total)


def first_pass(p: Problem) -> Floats:
    """First-order u: updates until none improves a node by more than rounding."""
    u, s2 = np.where(p.fixed, p.straight - p.t0, NEVER), limited(p)
    while True:
        a = np.stack([np.minimum(beside(u, i, -1) - p.g[i], beside(u, i, 1) + p.g[i]) for i in AXES])
        found = np.where(p.fixed, u, np.minimum(u, arrival(a, p.w, s2)))
        if np.all(u - found <= 1e-15 * p.t0):
            return u
        u = found


def second_pass(p: Problem, u: Floats) -> Floats:
    """Second-order u from that of the first pass, whose sides and corrections stay."""
    t = np.maximum(u + p.t0.astype(np.float32), 0).astype(np.float32)
    offset, turned, s2 = np.empty_like(p.g), np.empty(p.g.shape, bool), p.s2.copy()
    for i in AXES:
        before, after = u - beside(u, i, -1) + p.g[i], u - beside(u, i, 1) - p.g[i]
        turned[i] = after > before
        tj, uj, ujj = (np.where(turned[i], beside(f, i, n), beside(f, i, -n)) for f, n in ((t, 1), (u, 1), (u, 2)))
        kept = np.maximum(np.maximum(before, after), 0)
        b = np.where(ujj < NEVER, np.minimum(u - 2 * uj + ujj, kept) / 2, 0)
        offset[i] = np.where(tj < t, np.where(turned[i], -p.g[i], p.g[i]) + b, -NEVER)
        s2 -= np.where(tj < t, 0, p.w[i] * kept**2)
    s2 = np.maximum(s2, p.s2 / 4)
    while True:
        a = np.stack([np.where(turned[i], beside(u, i, 1), beside(u, i, -1)) for i in AXES]) - offset
        found = arrival(a, p.w, s2)
        found = np.where(p.fixed | (found >= NEVER), u, found)
        if np.array_equal(found, u):
            return u
        u = found


def solve(
    velocity: ArrayLike,
    source: ArrayLike,
    spacing: ArrayLike,
    *,
    origin: ArrayLike = (0.0, 0.0, 0.0),
    geometry: str = "cartesian",
    factored: bool = False,
    threads: int = 1,
) -> Floats:
    """Twin of the native `solve`, whose docstring applies; `threads` changes nothing."""
    velocity = np.asarray(velocity, float)
    grid = Grid(velocity.shape, tuple(np.asarray(spacing)), tuple(np.asarray(origin)), geometry)
    times = []
    for at in np.atleast_2d(np.asarray(source, float)):
        tables = grid.source(velocity, at)
        p = problem(velocity, grid, tables)
        u = second_pass(p, first_pass(p))
        r = p.t0 / tables.slowness
        times.append(tables.slowness + u / np.where(r > 0, r, np.inf) if factored else u + p.t0)
    return np.stack(times) if np.ndim(source) == 2 else times[0]
