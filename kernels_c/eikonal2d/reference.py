"""The scheme of eikonal2d.h in plain NumPy, float64: slow, written to be read and to hold the native kernel to.

One model and one source at a time. All nodes are updated at once until nothing changes: the solution does not depend on
the order of the updates, so none is kept here. Names are those of the equations in eikonal2d.h.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vip.kernels_c.door import Floats, Ints
from vip.kernels_c.eikonal2d.geometry import Grid, SourceTables, source_tables

NEVER = 1e30
"""A time that no ray takes, s."""

AXIS_NEIGHBOURS = [(0, -1), (0, 1), (-1, 0), (1, 0)]
"""Steps (row, column) to j, in the order of `SourceTables.corrections`; each has a diagonal k on either side."""


class Plan:
    """Grid, sources and receivers; the arguments are those of the native `Plan`, which checks them."""

    def __init__(self, grid: Grid, sources: ArrayLike, receivers: ArrayLike, source_of_pair: ArrayLike) -> None:
        self.grid = grid
        self.sources, self.receivers = np.array(sources, float), np.array(receivers, float)
        self.source_of_pair = np.asarray(source_of_pair)


class Triangles(NamedTuple):
    """The eight triangles (8, n) of each node i (n,) whose time is sought."""

    i: Ints
    j: Ints
    k: Ints
    h: Floats
    b: Floats
    e: Floats
    f: Floats


def triangles(grid: Grid, tables: SourceTables) -> Triangles:
    """Nodes, lengths (km) and truncation errors of the triangles around all nodes that are not fixed."""
    i, stride = tables.order, grid.bordered_shape[1]
    x, y = grid.spacing_km
    j, k, h, b = [], [], [], []
    for row, column in AXIS_NEIGHBOURS:
        for side in (-1, 1):
            j.append(i + row * stride + column)
            k.append(i + (row or side) * stride + (column or side))
            lengths = x[i // stride], np.full(len(i), y)
            h.append(lengths[0 if column else 1])
            b.append(lengths[1 if column else 0])
    e = np.repeat(tables.corrections[i, :4].T, 2, axis=0)
    f = tables.corrections[i, 4:].T / np.array(b)
    return Triangles(i, np.array(j), np.array(k), np.array(h), np.array(b), e, f)


def arrivals(s: Floats, time: Floats, around: Triangles) -> Floats:
    """Times (8, n) at which the wave would reach each node through each of its triangles."""
    i, j, k, h, b, e, f = around
    mean = s[i] / 2 + s[j] / 4 + s[k] / 4
    p = np.clip((time[j] - time[k]) / b + mean * f, 0, mean * b / np.hypot(h, b))
    return time[j] - s[i] * e + h * np.sqrt(mean**2 - p**2)


def time_field(s: Floats, s_source: float, tables: SourceTables, around: Triangles) -> Floats:
    """Travel times on all nodes: straight rays on the fixed nodes, then updates until none improves a time."""
    time = np.full(len(s), NEVER)
    time[tables.fixed_node] = tables.fixed_distance * (s_source + s[tables.fixed_node]) / 2
    while True:
        earliest = np.minimum(time[around.i], arrivals(s, time, around).min(axis=0))
        if np.array_equal(earliest, time[around.i]):
            return time
        time[around.i] = earliest


def push_back(s: Floats, time: Floats, around: Triangles, sensitivity: Floats) -> Floats:
    """Gradient (nodes,) by slowness of a function with this sensitivity to the times; what reaches fixed nodes stays there.

    The latest node comes first, as it can only depend on earlier ones.
    """
    winner = arrivals(s, time, around).argmin(axis=0), np.arange(len(around.i))
    i = around.i
    j, k, h, b, e, f = (x[winner] for x in around[1:])
    mean, most = s[i] / 2 + s[j] / 4 + s[k] / 4, b / np.hypot(h, b)
    p = (time[j] - time[k]) / b + mean * f
    p_by_mean = np.select([p <= 0, p >= mean * most], [0, most], f)
    p_by_j = np.where((p > 0) & (p < mean * most), 1 / b, 0)
    p = np.clip(p, 0, mean * most)
    root = np.sqrt(mean**2 - p**2)
    by_mean = h * (mean - p * p_by_mean) / root
    by_k = h * p * p_by_j / root

    gradient = np.zeros_like(s)
    for n in np.argsort(-time[i]):
        load = sensitivity[i[n]]
        sensitivity[i[n]] = 0
        sensitivity[j[n]] += load * (1 - by_k[n])
        sensitivity[k[n]] += load * by_k[n]
        gradient[i[n]] += load * (by_mean[n] / 2 - e[n])
        gradient[j[n]] += load * by_mean[n] / 4
        gradient[k[n]] += load * by_mean[n] / 4
    return gradient


def receiver_weights(grid: Grid, source: Floats, receiver: Floats, tables: SourceTables) -> tuple[Floats, Floats]:
    """Weights (nodes,) of the times and of the slownesses in a receiver's time.

    Between nodes T / r is bilinear; among the fixed nodes the ray is straight, and its slowness is the mean of both ends.
    """
    by_time, by_slowness = np.zeros(len(tables.rank)), np.zeros(len(tables.rank))
    (at_source, corner), weight = grid.cell(np.stack([source, receiver]))
    r = grid.distance(source, receiver)
    if np.isin(corner, tables.fixed_node).all():
        np.add.at(by_slowness, at_source, r / 2 * weight[0])
        np.add.at(by_slowness, corner, r / 2 * weight[1])
    else:
        by_time[corner] = weight[1] * r / grid.distance_and_direction(source)[0].ravel()[corner]
    return by_time, by_slowness


def interpolation(n: int, refinement: int) -> Floats:
    """Matrix from n velocity nodes to the refined nodes of one axis; the border repeats the edge."""
    place = np.clip(np.arange(-1, (n - 1) * refinement + 2) / refinement, 0, n - 1)
    weights: Floats = np.maximum(1 - np.abs(place[:, None] - np.arange(n)), 0)
    return weights


def solve_source(
    grid: Grid, s: Floats, source: Floats, receivers: Floats, observed: Floats, weight: Floats
) -> tuple[Floats, Floats]:
    """Times (n,) of one source at its receivers, and the gradient (nodes,) of their misfit by slowness."""
    tables = source_tables(grid, source)
    around = triangles(grid, tables)
    (corner,), (corner_weight,) = grid.cell(source[None])
    time = time_field(s, corner_weight @ s[corner], tables, around)
    by_time, by_slowness = np.stack([receiver_weights(grid, source, x, tables) for x in receivers], axis=1)
    times = by_time @ time + by_slowness @ s

    load = weight * (times - observed)
    sensitivity = load @ by_time
    gradient = load @ by_slowness + push_back(s, time, around, sensitivity)
    straight = sensitivity[tables.fixed_node] * tables.fixed_distance / 2
    gradient[tables.fixed_node] += straight
    gradient[corner] += straight.sum() * corner_weight
    return times, gradient


def travel_times(
    velocity: ArrayLike, plan: Plan, observed: ArrayLike | None = None, weight: ArrayLike | None = None, threads: int = 1
) -> Floats | tuple[Floats, Floats]:
    """Twin of the native `travel_times`, whose docstring applies; `threads` changes nothing."""
    velocity, grid, n_pairs = np.asarray(velocity, float), plan.grid, len(plan.receivers)
    d, w = (np.zeros(n_pairs) if x is None else np.asarray(x, float) for x in (observed, weight))
    to_rows, to_columns = (interpolation(n, grid.refinement) for n in grid.shape)
    times, gradient = np.empty((len(velocity), n_pairs)), np.empty_like(velocity)
    for n, model in enumerate(velocity):
        s = 1 / (to_rows @ model.reshape(grid.shape) @ to_columns.T).ravel()
        by_slowness = np.zeros_like(s)
        for m in np.unique(plan.source_of_pair):
            pairs = plan.source_of_pair == m
            times[n, pairs], part = solve_source(grid, s, plan.sources[m], plan.receivers[pairs], d[pairs], w[pairs])
            by_slowness += part
        by_velocity = (-(s**2) * by_slowness).reshape(grid.bordered_shape)
        gradient[n] = (to_rows.T @ by_velocity @ to_columns).ravel()
    return times if observed is None else (times, gradient)


def ray_weights(velocity: ArrayLike, plan: Plan) -> tuple[Floats, Floats]:
    """Twin of the native `ray_weights`: for each pair alone, the gradient of a misfit with a residual of one second."""
    velocity, n_pairs = np.asarray(velocity, float), len(plan.receivers)
    times, rays = np.empty((len(velocity), n_pairs)), np.empty((len(velocity), n_pairs, velocity.shape[1]))
    for pair in range(n_pairs):
        alone = Plan(plan.grid, plan.sources, plan.receivers[[pair]], plan.source_of_pair[[pair]])
        times[:, pair] = np.asarray(travel_times(velocity, alone))[:, 0]
        for n, model in enumerate(velocity):
            rays[n, pair] = travel_times(model[None], alone, times[n, [pair]] - 1, [1.0])[1][0]
    return times, rays
