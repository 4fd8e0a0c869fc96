"""Positions of shots and receivers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.fwi2d.settings import LineSettings
from vip.forward.tables import numbers, place, read_table
from vip.kernels_c.acoustic2d import Grid
from vip.protocols import Floats


class Survey(NamedTuple):
    """Shots, and the receivers of each; depth and x in m."""

    sources: Floats
    """Depth and x (shots, 2) of each shot, m."""
    receivers: list[Floats]
    """Depth and x (traces, 2) of the receivers of each shot, m."""

    @property
    def n_traces(self) -> int:
        """Number of traces of all shots."""
        return sum(len(points) for points in self.receivers)


def read_survey(shots: LineSettings | Path, receivers: LineSettings | Path, base_dir: Path) -> Survey:
    """A survey from lines of points or CSV tables.

    Raises
    ------
    ConfigError
        If there is a fault; the message names the file, line and column of the first one.
    """
    sources = _points(shots, base_dir)
    if isinstance(receivers, LineSettings):
        return Survey(sources, [_line(receivers)] * len(sources))
    file = base_dir / receivers
    table = read_table(file, ["depth", "x"])
    points = _coordinates(table, file)
    if "shot" not in table.columns:
        return Survey(sources, [points] * len(sources))
    shot = numbers(table, "shot", file)
    wrong = np.flatnonzero(~np.isin(shot, np.arange(1, len(sources) + 1)))
    if len(wrong):
        line = table.index[wrong[0]]
        raise ConfigError(place(line, "shot"), shot[wrong[0]], f"expected the number of a shot, 1 to {len(sources)}", file)
    back = np.flatnonzero(np.diff(shot) < 0)
    if len(back):
        line = table.index[back[0] + 1]
        raise ConfigError(place(line, "shot"), shot[back[0] + 1], "receivers are in the order of traces, shot by shot", file)
    silent = np.setdiff1d(np.arange(1, len(sources) + 1), shot)
    if len(silent):
        raise ConfigError("shot", int(silent[0]), "this shot has no receivers", file)
    return Survey(sources, [points[shot == i + 1] for i in range(len(sources))])


def check_inside(survey: Survey, grid: Grid) -> None:
    """Raise `ConfigError` if a shot or receiver lies outside the model."""
    last = (np.array(grid.shape) - 1) * grid.spacing
    for i, (source, receivers) in enumerate(zip(survey.sources, survey.receivers, strict=True)):
        for name, points in (("shot", source[None]), ("receiver", receivers)):
            outside = np.flatnonzero(~grid.contains(points))
            if len(outside):
                depth, x = points[outside[0]]
                label = f"shot {i + 1}" if name == "shot" else f"shot {i + 1}, receiver {outside[0] + 1}"
                remedy = (
                    f"lies outside the model, depth 0 to {last[0]:g} m and x 0 to {last[1]:g} m; move it or enlarge the grid"
                )
                raise ConfigError(label, f"depth {depth:g} m, x {x:g} m", remedy)


def _points(given: LineSettings | Path, base_dir: Path) -> Floats:
    if isinstance(given, LineSettings):
        return _line(given)
    file = base_dir / given
    return _coordinates(read_table(file, ["depth", "x"]), file)


def _line(line: LineSettings) -> Floats:
    return np.stack([np.full(line.number, line.depth), line.first + line.step * np.arange(line.number)], axis=1)


def _coordinates(table: pd.DataFrame, file: Path) -> Floats:
    points = np.stack([numbers(table, axis, file) for axis in ("depth", "x")], axis=1)
    if not len(points):
        raise ConfigError("rows", 0, "at least one is needed", file)
    return points
