"""Channels of receivers from a table, for records and for tables of Green's functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.tables import numbers, place, read_table
from vip.forward.waveform.elementary import Channel
from vip.protocols import Floats

COLUMNS, ORIENTATION = ["station", "channel", "kind", "x", "y", "depth"], ("azimuth", "dip")
FARTHEST = 1e6
"""Largest coordinate, m: more is no local network."""
LIMITS = {"azimuth": (360.0, "must be from -360 to 360 degrees"), "dip": (90.0, "must be from -90 (up) to 90 (down) degrees")}
"""Largest size of the other numbers, and what to say of a larger one."""


def read_channels(file: Path) -> tuple[Channel, ...]:
    """Channels from CSV with the columns station, channel, kind, x, y, depth; and azimuth and dip where velocity is recorded.

    Raises
    ------
    ConfigError
        If a row is not that of a channel, or two are of one.
    """
    table = read_table(file, COLUMNS)
    if table.empty:
        raise ConfigError("rows", 0, "expected one for each channel", file)
    is_pressure = table["kind"] == "pressure"
    for column in ORIENTATION:
        if column not in table:
            if not is_pressure.all():
                raise ConfigError(column, "is missing", "velocity needs azimuth and dip, degrees", file)
            table[column] = "0"
        table.loc[is_pressure & (table[column] == ""), column] = "0"
    x, y, depth, azimuth, dip = (_within(table, column, file) for column in (*COLUMNS[3:], *ORIENTATION))
    made: dict[tuple[str, str], Channel] = {}
    for i, line in enumerate(table.index):
        station, name, kind = (str(table[column].iloc[i]) for column in COLUMNS[:3])
        if kind not in ("pressure", "velocity"):
            raise ConfigError(place(int(line), "kind"), kind or "nothing", 'must be "pressure" or "velocity"', file)
        if (station, name) in made:
            raise ConfigError(place(int(line), "channel"), f"{station} {name}", "is there twice", file)
        direction = (0.0, 0.0, 0.0) if kind == "pressure" else pointing(azimuth[i], dip[i])
        made[station, name] = Channel(station, name, kind, (float(x[i]), float(y[i]), float(depth[i])), direction)  # type: ignore[arg-type]
    return tuple(made.values())


def write_channels(channels: Sequence[Channel], file: Path) -> None:
    """Write channels as a table."""
    rows = []
    for channel in channels:
        east, north, down = channel.direction
        turned = (
            [np.degrees(np.arctan2(east, north)) % 360, np.degrees(np.arcsin(down))] if any(channel.direction) else ["", ""]
        )
        rows.append([channel.station, channel.name, channel.kind, *channel.position, *turned])
    pd.DataFrame(rows, columns=[*COLUMNS, *ORIENTATION]).to_csv(file, index=False, float_format="%.6g")


def pointing(azimuth: float, dip: float) -> tuple[float, float, float]:
    """Unit vector in x (east), y (north) and depth of an azimuth from north and a dip down from the horizontal, degrees (SEED).

    Examples
    --------
    A vertical channel whose motion up is positive has a dip of -90, one whose motion down is positive has +90:

    >>> [tuple(round(c, 9) + 0.0 for c in pointing(0.0, dip)) for dip in (-90.0, 90.0)]
    [(0.0, 0.0, -1.0), (0.0, 0.0, 1.0)]
    """
    a, d = np.radians([azimuth, dip])
    return float(np.cos(d) * np.sin(a)), float(np.cos(d) * np.cos(a)), float(np.sin(d))


def _within(table: pd.DataFrame, column: str, file: Path) -> Floats:
    """Numbers of a column, each within what it can be."""
    values = numbers(table, column, file)
    most, remedy = LIMITS.get(column, (FARTHEST, f"must be in m, and at most {FARTHEST:g} m from zero"))
    beyond = np.flatnonzero(np.abs(values) > most)
    if len(beyond):
        raise ConfigError(place(int(table.index[beyond[0]]), column), float(values[beyond[0]]), remedy, file)
    return values
