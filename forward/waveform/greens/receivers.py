"""Channels of receivers from a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vip.errors import ConfigError
from vip.forward.tables import numbers, place, read_table
from vip.forward.waveform.elementary import Channel
from vip.protocols import Floats

ORIENTATION = ("azimuth", "dip")


def read_channels(file: Path) -> tuple[Channel, ...]:
    """Channels from a CSV: station, name, x, y, depth, and azimuth and dip where velocity is recorded.

    Raises
    ------
    ConfigError
        If the table cannot be read, has a channel twice, or a dip that is none.
    """
    table = read_table(file, ["station", "name", "x", "y", "depth"])
    if table.empty:
        raise ConfigError("station", "no row", "expected at least one channel", file)
    positions = np.stack([numbers(table, name, file) for name in ("x", "y", "depth")], axis=1)
    blank = np.full(len(table), True)
    for name in ORIENTATION:
        if name in table:
            blank &= (table[name].str.strip() == "").to_numpy()
    directions = np.zeros((len(table), 3))
    if not blank.all():
        for name in ORIENTATION:
            if name not in table:
                raise ConfigError(name, "is missing", "velocity needs azimuth and dip, degrees", file)
        oriented = table[~blank]
        azimuth, dip = (numbers(oriented, name, file) for name in ORIENTATION)
        for line, value in zip(oriented.index, dip, strict=True):
            if abs(value) > 90:
                raise ConfigError(place(int(line), "dip"), float(value), "must be from -90 (up) to 90 (down) degrees", file)
        directions[~blank] = direction(azimuth, dip)
    found: list[Channel] = []
    for i, (station, name) in enumerate(zip(table["station"], table["name"], strict=True)):
        at, along = (tuple(map(float, values[i])) for values in (positions, directions))
        channel = Channel(station, name, "pressure" if blank[i] else "velocity", at, along)  # type: ignore[arg-type]
        if any((other.station, other.name) == (station, name) for other in found):
            raise ConfigError(place(int(table.index[i]), "name"), f"{station} {name}", "is there twice", file)
        found.append(channel)
    return tuple(found)


def direction(azimuth: Floats, dip: Floats) -> Floats:
    """Unit vectors (n, 3) in x (east), y (north) and depth, from azimuth and dip (n,), degrees.

    Examples
    --------
    >>> direction(np.array([90.0]), np.array([0.0])).round(12).tolist()
    [[1.0, 0.0, 0.0]]
    >>> direction(np.array([0.0]), np.array([-90.0])).round(12).tolist()
    [[0.0, 0.0, -1.0]]
    """
    a, d = np.radians(azimuth), np.radians(dip)
    return np.stack([np.sin(a) * np.cos(d), np.cos(a) * np.cos(d), np.sin(d)], axis=1)
