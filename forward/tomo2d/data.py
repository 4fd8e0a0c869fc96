"""Stations and picks from files, checked row by row."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, NamedTuple

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
    names = stations["name"]
    if names.duplicated().any():
        line = names.index[names.duplicated()][0]
        raise ConfigError(_place(line, "name"), names[line], "this station is already in the table", stations_file)
    times = _table(times_file, ["source", "receiver", "time", "sigma"])
    index = {name: i for i, name in enumerate(names)}
    ends = []
    for column in ("source", "receiver"):
        unknown = times.index[~times[column].isin(names)]
        if len(unknown):
            line, found = unknown[0], times[column][unknown[0]]
            raise ConfigError(_place(line, column), found, f"no station of this name in {stations_file}", times_file)
        ends.append(np.array([index[name] for name in times[column]], dtype=np.intp))
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
    sources, receivers = (_columns(path, ["latitude or y", "longitude or x"]) for path in (sources_file, receivers_file))
    rows = _columns(times_file, ["time", "sigma"])
    if len(rows) != len(sources) * len(receivers):
        expected = f"expected {len(sources)} sources x {len(receivers)} receivers = {len(sources) * len(receivers)} rows"
        raise ConfigError("rows", len(rows), expected, times_file)
    measured = np.flatnonzero(rows["time"] != 0)
    time, sigma = (_positive(rows.iloc[measured], column, times_file) for column in ("time", "sigma"))
    source, receiver = np.divmod(measured, len(receivers))
    points, index = np.unique(np.concatenate([sources.to_numpy(), receivers.to_numpy()]), axis=0, return_inverse=True)
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
    """A CSV table as text, its rows named by their lines in the file."""
    table = _read(file, "a CSV table", sep=",", skipinitialspace=True, index_col=False)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        remedy = f"there is no column {missing[0]!r}; expected {','.join(columns)} between commas"
        raise ConfigError("columns", ", ".join(map(str, table.columns)), remedy, file)
    return table.apply(lambda column: column.str.strip())


def _columns(file: Path, names: list[str]) -> pd.DataFrame:
    """Columns of numbers between blanks, the rows named by their lines in the file."""
    table = _read(file, "a table of numbers", sep=r"\s+", header=None)
    if table.shape[1] != len(names):
        raise ConfigError("columns", table.shape[1], f"expected {len(names)}", file)
    table.columns = pd.Index(names)
    return pd.DataFrame({name: _numbers(table, name, file) for name in names}, index=table.index)


def _read(file: Path, expected: str, **options: Any) -> pd.DataFrame:
    """Any table as text. Comments and blank lines are left out here so that rows keep their lines."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigError("", file, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError("", file, f"is not {expected}: {error}") from error
    kept = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    text = io.StringIO("\n".join(line for _, line in kept))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(text, dtype=str, keep_default_na=False, comment="#", **options)
    except pd.errors.ParserWarning as error:  # pandas checks later rows against the first
        raise ConfigError(f"line {kept[1][0]}", kept[1][1], "has more fields than the header", file) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ConfigError("", file, f"is not {expected}: {str(error).strip()}") from error
    table.index = pd.Index([number for number, _ in kept][len(kept) - len(table) :])
    return table


def _numbers(table: pd.DataFrame, column: str, file: Path) -> Floats:
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        found = table[column].iloc[bad[0]] or "nothing"
        raise ConfigError(_place(table.index[bad[0]], column), found, "must be a finite number", file)
    return values


def _positive(table: pd.DataFrame, column: str, file: Path) -> Floats:
    values = _numbers(table, column, file)
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        raise ConfigError(_place(table.index[bad[0]], column), float(values[bad[0]]), "must be positive (s)", file)
    return values


def _place(line: int, column: str) -> str:
    return f"line {line}, column {column}"
