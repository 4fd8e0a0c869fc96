"""Tables as users have them, for a prediction without a configuration: times or velocities, of one period or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.tables import CSV_TABLE, check_columns, place, positive_numbers, read_table
from vip.forward.tomo2d.amortised.checks import BEYOND, FEWEST_STATIONS
from vip.forward.tomo2d.data import Picks, read_stations, station_numbers
from vip.kernels_c.eikonal2d import Grid
from vip.protocols import Floats


class Measured(NamedTuple):
    """Stations and measurements of all periods."""

    geographic: bool
    """Whether coordinates are degrees, and not km."""
    names: list[str]
    places: Floats
    """Row and column coordinates (n_stations, 2)."""
    periods: dict[str, Picks]
    """Measurements by the label of the period, "" if there is only one."""

    def velocities(self, period: str) -> Floats:
        """Distance over time (n_picks,), km/s, of a period."""
        picks = self.periods[period]
        velocities: Floats = distances(self.places, picks.source, picks.receiver, self.geographic) / picks.time
        return velocities


def read_measured(
    stations_file: Path, times_files: Sequence[Path], share: float | None = None, reach: tuple[float, float] | None = None
) -> Measured:
    """Read tables of stations (name, latitude, longitude; or name, y, x) and of times (source, receiver, time, sigma).

    In place of `time` there may be `velocity`, the distance over it. A column `period` parts a table by its values; several
    tables are periods that are named as the files. A line with nothing measured is an error.

    Parameters
    ----------
    stations_file : Path
    times_files : sequence of Path
    share : float, optional
        Standard deviation of each time over the time, where a table has no column `sigma`.
    reach : (float, float), optional
        Velocities, km/s, of which no path may be beyond by more than five standard deviations.

    Raises
    ------
    ConfigError
        If there is a fault; the message names the file, line and value of the first one.
    """
    header = read_table(stations_file, ["name"]).columns
    geographic = "latitude" in header
    names, places = read_stations(stations_file, geographic)
    _check_apart(names, places, stations_file)
    periods: dict[str, Picks] = {}
    for file in times_files:
        table = read_table(file, ["source", "receiver"])
        value = "velocity" if "velocity" in table.columns and "time" not in table.columns else "time"
        check_columns(table, ["source", "receiver", value], file)
        for label, part in _by_period(table, file, len(times_files) > 1):
            if label in periods:
                raise ConfigError("period", label, "is in two files: give each file a name of its own", file)
            source, receiver = station_numbers(part, names, file, stations_file)
            distance = distances(places, source, receiver, geographic)
            _check_paths(part, distance, file)
            given = positive_numbers(part, value, file)
            time = distance / given if value == "velocity" else given
            sigma = _sigma(part, time, file, share)
            if reach is not None:
                _check_reach(part, distance, time, sigma, reach, file)
            _check_enough(source, receiver, label, file)
            periods[label] = Picks(names, places, source, receiver, time, sigma)
    return Measured(geographic, names, places, periods)


def distances(places: Floats, source: NDArray[np.intp], receiver: NDArray[np.intp], geographic: bool) -> Floats:
    """Distances (n_picks,), km, between stations."""
    return Grid((2, 2), (0.0, 0.0), (1.0, 1.0), geographic).distance(places[source], places[receiver])


def _by_period(table: pd.DataFrame, file: Path, named: bool) -> list[tuple[str, pd.DataFrame]]:
    if not len(table):
        raise ConfigError("", file, f"is not {CSV_TABLE} with measurements: it has none")
    if "period" in table.columns:
        labels = list(dict.fromkeys(table["period"]))
        return [(label, table[table["period"] == label]) for label in labels]
    return [(file.stem if named else "", table)]


def _sigma(table: pd.DataFrame, time: Floats, file: Path, share: float | None) -> Floats:
    if "sigma" in table.columns:
        return positive_numbers(table, "sigma", file)
    if share is None:
        remedy = "there is no column 'sigma' (s): add it, or say --sigma 0.02 for 2 % of each time"
        raise ConfigError("columns", ", ".join(table.columns), remedy, file)
    return share * time


def _check_apart(names: list[str], places: Floats, file: Path) -> None:
    _, first, which = np.unique(places, axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[which.ravel()] != np.arange(len(places)))
    if len(again):
        same = names[first[which.ravel()[again[0]]]]
        raise ConfigError(f"station {names[again[0]]}", places[again[0]].tolist(), f"is in the same place as {same}", file)


def _check_paths(table: pd.DataFrame, distance: Floats, file: Path) -> None:
    same = np.flatnonzero(distance == 0)
    if len(same):
        line = table.index[same[0]]
        raise ConfigError(place(line, "receiver"), table["receiver"][line], "is the source too: remove the line", file)


def _check_enough(source: NDArray[np.intp], receiver: NDArray[np.intp], label: str, file: Path) -> None:
    n = len(np.union1d(source, receiver))
    if n < FEWEST_STATIONS:
        of = f" of period {label}" if label else ""
        raise ConfigError("stations", n, f"measurements{of} are between so few; at least {FEWEST_STATIONS} are needed", file)


def _check_reach(
    table: pd.DataFrame, distance: Floats, time: Floats, sigma: Floats, reach: tuple[float, float], file: Path
) -> None:
    lower, upper = reach
    beyond = np.flatnonzero((time > distance / lower + BEYOND * sigma) | (time < distance / upper - BEYOND * sigma))
    if len(beyond):
        column = "velocity" if "velocity" in table.columns and "time" not in table.columns else "time"
        value = f"{distance[beyond[0]] / time[beyond[0]]:.3g} km/s"
        remedy = f"no model of the prior, {lower:g} to {upper:g} km/s, is so slow or fast: change --bounds, or mend the line"
        raise ConfigError(place(table.index[beyond[0]], column), value, remedy, file)
