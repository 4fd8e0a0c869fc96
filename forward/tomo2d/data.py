"""Stations and picks from files, checked row by row."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError

Floats = NDArray[np.float64]


class Picks(NamedTuple):
    """Travel times between stations, each station pair once for each measurement."""

    station_names: list[str]
    stations: Floats
    """(n_stations, 2) latitude and longitude in degrees, or y and x in km."""
    source: NDArray[np.intp]
    receiver: NDArray[np.intp]
    """(n_picks,) indices of stations."""
    time: Floats
    sigma: Floats
    """(n_picks,) s."""


def read_csv(stations_file: Path, times_file: Path, geographic: bool) -> Picks:
    """Picks from CSV tables: (name, latitude, longitude) or (name, y, x); (source, receiver, time, sigma).

    Raises
    ------
    ConfigError
        Names the file, row and column of the first fault.
    """
    axes = ["latitude", "longitude"] if geographic else ["y", "x"]
    stations = _table(stations_file, ["name", *axes])
    names = stations["name"].astype(str)
    if names.duplicated().any():
        row = int(np.flatnonzero(names.duplicated())[0])
        raise ConfigError(_place(row, "name"), names[row], "this station is already in the table", stations_file)
    times = _table(times_file, ["source", "receiver", "time", "sigma"])
    index = {name: i for i, name in enumerate(names)}
    ends = []
    for column in ("source", "receiver"):
        wanted = times[column].astype(str)
        unknown = np.flatnonzero(~wanted.isin(names))
        if len(unknown):
            row = int(unknown[0])
            raise ConfigError(_place(row, column), wanted[row], f"no station of this name in {stations_file}", times_file)
        ends.append(np.array([index[name] for name in wanted], dtype=np.intp))
    points = np.stack([_numbers(stations, axis, stations_file) for axis in axes], axis=1)
    time, sigma = (_positive(times, column, times_file) for column in ("time", "sigma"))
    return _checked(Picks(list(names), points, ends[0], ends[1], time, sigma), times_file)


def read_text(sources_file: Path, receivers_file: Path, times_file: Path) -> Picks:
    """Picks from the plain text of the VIP package: every source with every receiver, time 0 where there is none.

    Raises
    ------
    ConfigError
        Names the file and row of the first fault.
    """
    sources, receivers = (_columns(path, 2) for path in (sources_file, receivers_file))
    rows = _columns(times_file, 2)
    if len(rows) != len(sources) * len(receivers):
        expected = f"expected {len(sources)} sources x {len(receivers)} receivers = {len(sources) * len(receivers)} rows"
        raise ConfigError("rows", len(rows), expected, times_file)
    measured = np.flatnonzero(rows[:, 0] != 0)
    table = pd.DataFrame(rows, columns=["time", "sigma"]).iloc[measured]
    time, sigma = (_positive(table, column, times_file, header=False) for column in ("time", "sigma"))
    source, receiver = np.divmod(measured, len(receivers))
    points, index = np.unique(np.concatenate([sources, receivers]), axis=0, return_inverse=True)
    names = [str(i + 1) for i in range(len(points))]
    ends = index[source], index[len(sources) + receiver]
    return _checked(Picks(names, points, ends[0], ends[1], time, sigma), times_file)


def _checked(picks: Picks, file: Path) -> Picks:
    if not len(picks.time):
        raise ConfigError("time", "no measurement", "at least one is needed", file)
    same = np.flatnonzero(picks.source == picks.receiver)
    if len(same):
        name = picks.station_names[picks.source[same[0]]]
        raise ConfigError(f"pick {same[0] + 1}", name, "source and receiver are the same station", file)
    return picks


def _table(file: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(file, comment="#", skipinitialspace=True)
    except OSError as error:
        raise ConfigError("", file, f"cannot be read: {error.strerror}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ConfigError("", file, f"is not a CSV table: {error}") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ConfigError("columns", ", ".join(map(str, table.columns)), f"there is no column {missing[0]!r}", file)
    return table


def _columns(file: Path, n: int) -> Floats:
    try:
        rows = pd.read_csv(file, sep=r"\s+", header=None, comment="#")
    except OSError as error:
        raise ConfigError("", file, f"cannot be read: {error.strerror}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ConfigError("", file, f"is not a table of numbers: {error}") from error
    if rows.shape[1] != n:
        raise ConfigError("columns", rows.shape[1], f"expected {n}", file)
    return np.stack([_numbers(rows, column, file, header=False) for column in rows.columns], axis=1)


def _numbers(table: pd.DataFrame, column: str | int, file: Path, header: bool = True) -> Floats:
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        found = table[column].iloc[int(bad[0])]
        raise ConfigError(_place(int(table.index[bad[0]]), column, header), found, "must be a finite number", file)
    return values


def _positive(table: pd.DataFrame, column: str, file: Path, header: bool = True) -> Floats:
    values = _numbers(table, column, file, header)
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        place = _place(int(table.index[bad[0]]), column, header)
        raise ConfigError(place, float(values[bad[0]]), "must be positive (s)", file)
    return values


def _place(row: int, column: str | int, header: bool = True) -> str:
    """Line and column as a text editor counts them, comments aside."""
    return f"line {row + 1 + header}, column {column if isinstance(column, str) else column + 1}"
