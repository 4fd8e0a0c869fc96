"""Stations and picks from files, checked row by row."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.tables import numbers, place, positive_numbers, read_columns, read_table
from vip.protocols import Floats


class Picks(NamedTuple):
    """Travel times between stations, each station pair once for each measurement."""

    station_names: list[str]
    stations: Floats
    """Positions of stations (n_stations, 2): latitude and longitude in degrees, or y and x in km."""
    source: NDArray[np.intp]
    receiver: NDArray[np.intp]
    """Index of the receiving station of each pick (n_picks,); `source` is that of the sending one."""
    time: Floats
    sigma: Floats
    """Standard deviations (n_picks,), s."""


def read_csv(stations_file: Path, times_file: Path, geographic: bool) -> Picks:
    """Picks from CSV tables: (name, latitude, longitude) or (name, y, x); (source, receiver, time, sigma).

    Raises
    ------
    ConfigError
        If there is a fault; the message names the file, row and column of the first one.
    """
    names, points = read_stations(stations_file, geographic)
    times = read_table(times_file, ["source", "receiver", "time", "sigma"])
    source, receiver = station_numbers(times, names, times_file, stations_file)
    time, sigma = (positive_numbers(times, column, times_file) for column in ("time", "sigma"))
    return _checked(Picks(names, points, source, receiver, time, sigma), times_file)


def read_stations(file: Path, geographic: bool) -> tuple[list[str], Floats]:
    """Names and places (n, 2) of the stations of a table.

    Raises
    ------
    ConfigError
        If there is a fault, or a name twice.
    """
    axes = ["latitude", "longitude"] if geographic else ["y", "x"]
    stations = read_table(file, ["name", *axes])
    names = stations["name"]
    if names.duplicated().any():
        line = names.index[names.duplicated()][0]
        raise ConfigError(place(line, "name"), names[line], "this station is already in the table", file)
    return list(names), np.stack([numbers(stations, axis, file) for axis in axes], axis=1)


def station_numbers(
    times: pd.DataFrame, names: list[str], times_file: Path, stations_file: Path
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Numbers (n_picks,) of the sources and of the receivers of a table among the names of stations.

    Raises
    ------
    ConfigError
        If there is no station of a name.
    """
    index = {name: i for i, name in enumerate(names)}
    ends = []
    for column in ("source", "receiver"):
        unknown = times.index[~times[column].isin(names)]
        if len(unknown):
            line, found = unknown[0], times[column][unknown[0]]
            raise ConfigError(place(line, column), found, f"no station of this name in {stations_file}", times_file)
        ends.append(np.array([index[name] for name in times[column]], dtype=np.intp))
    return ends[0], ends[1]


def read_text(sources_file: Path, receivers_file: Path, times_file: Path) -> Picks:
    """Picks from the plain text of the VIP package: every source with every receiver, time 0 where there is none.

    Raises
    ------
    ConfigError
        If there is a fault; the message names the file and row of the first one.
    """
    sources, receivers = (read_columns(path, ["latitude or y", "longitude or x"]) for path in (sources_file, receivers_file))
    rows = read_columns(times_file, ["time", "sigma"])
    if len(rows) != len(sources) * len(receivers):
        expected = f"expected {len(sources)} sources x {len(receivers)} receivers = {len(sources) * len(receivers)} rows"
        raise ConfigError("rows", len(rows), expected, times_file)
    measured = np.flatnonzero(rows["time"] != 0)
    time, sigma = (positive_numbers(rows.iloc[measured], column, times_file) for column in ("time", "sigma"))
    source, receiver = np.divmod(measured, len(receivers))
    points, index = np.unique(np.concatenate([sources.to_numpy(), receivers.to_numpy()]), axis=0, return_inverse=True)
    names = [str(i + 1) for i in range(len(points))]
    index = index.ravel()  # NumPy 2.0.0 gives a column
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
