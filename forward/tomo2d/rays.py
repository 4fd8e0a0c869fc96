"""Rays through a field of travel times: for pictures of coverage, not for gradients."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from vip.kernels_c.eikonal2d.geometry import Grid
from vip.protocols import Floats

STEP = 0.5
"""Length of a step along a ray, in refined cells."""


def trace_rays(field: Floats, start: Floats, end: Floats) -> list[Floats]:
    """Paths from receivers down the gradient of the time to the source, all at once (Rawlinson & Sambridge 2004).

    Parameters
    ----------
    field : (rows, columns) float
        Travel times on the refined grid.
    start : (n, 2) float
        Places of the receivers, in refined cells.
    end : (2,) float
        Place of the source.

    Returns
    -------
    list of (m, 2) float
        One path for each receiver, in refined cells.
    """
    gradient = np.gradient(field)
    limit = np.array(field.shape) - 1.0
    paths, place = [start], start.copy()
    arrived = np.hypot(*(place - end).T) < 1
    for _ in range(8 * sum(field.shape)):
        if arrived.all():
            break
        slope = np.stack([map_coordinates(g, place.T, order=1) for g in gradient], axis=1)
        move = -STEP * slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-30)
        place = np.where(arrived[:, None], place, np.clip(place + move, 0, limit))
        arrived |= np.hypot(*(place - end).T) < 1
        paths.append(place)
    paths.append(np.broadcast_to(end, start.shape))
    return list(np.stack(paths, axis=1))


def ray_lengths(
    grid: Grid, fields: Iterable[Floats], sources: Floats, receivers: Floats, source_of_pair: NDArray[np.intp]
) -> Floats:
    """Length of rays (rows, columns), km, shared out to the nearest velocity nodes."""
    total = np.zeros(grid.shape)
    for i, field in enumerate(fields):
        start = grid.place(receivers[source_of_pair == i])
        for path in trace_rays(field, start, grid.place(sources[i])):
            middle = (path[1:] + path[:-1]) / 2
            row_length, column_length = _step_lengths(grid, path)
            node = np.rint(middle / grid.refinement).astype(int)
            np.add.at(total, tuple(np.minimum(node, np.array(grid.shape) - 1).T), np.hypot(row_length, column_length))
    return total


def _step_lengths(grid: Grid, path: Floats) -> tuple[Floats, Floats]:
    by_row, between_rows = grid.spacing_km
    step = np.diff(path, axis=0)
    row = np.rint((path[1:, 0] + path[:-1, 0]) / 2).astype(int) + 1
    return step[:, 0] * between_rows, step[:, 1] * by_row[row]
