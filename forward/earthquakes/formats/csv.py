"""CSV tables: stations, picks, layers, and catalogues of located events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.files import whole
from vip.forward.earthquakes.formats.pick_columns import pick_table
from vip.forward.earthquakes.origins import LEVEL, Origin, horizontal_ellipse
from vip.forward.earthquakes.stations import LIMITS, Stations, checked_stations
from vip.forward.tables import check_columns, numbers, place, read_table, read_table_parts

log = logging.getLogger(__name__)

OTHER_NAMES = {
    "station_id": "station",
    "id": "station",
    "elevation(m)": "elevation_m",
    "elevation(km)": "elevation_km",
    "x(km)": "x",
    "y(km)": "y",
}
"""Names of columns of stations in GaMMA and PyOcto; they count where there is no column of our name."""


def read_stations(file: Path) -> Stations:
    """Stations from the columns that `vip.forward.earthquakes.reading.read_stations` names."""
    return stations_of(read_table(file, []), file)


def stations_of(table: pd.DataFrame, file: Path) -> Stations:
    """Stations from a table of text, whose rows are named by their lines."""
    table = table.rename(columns={its: ours for its, ours in OTHER_NAMES.items() if ours not in table.columns})
    check_columns(table, ["station"], file)
    if "network" in table.columns:
        table["station"] = [
            f"{net}.{code}" if net else code for net, code in zip(table["network"], table["station"], strict=True)
        ]
    geographic = "latitude" in table.columns
    axes = ["latitude", "longitude"] if geographic else ["y", "x"]
    heights = [column for column in ("elevation_km", "elevation_m", "elevation") if column in table.columns]
    for column in axes:
        if column not in table.columns:
            raise ConfigError("columns", ", ".join(table.columns), "expected latitude and longitude, or x and y", file)
    if len(heights) != 1:
        found = ", ".join(heights) or "no elevation"
        raise ConfigError("columns", found, "expected one column, elevation_m or elevation_km", file)
    for column in (*axes, *heights):
        table[column] = numbers(table, column, file)
    if heights == ["elevation"]:
        _check_metres(table["elevation"], file)
    table["elevation_km"] = table[heights[0]] * (1.0 if heights == ["elevation_km"] else 0.001)
    corrections = {
        phase: numbers(table, column, file)
        if (column := f"correction_{phase.lower()}") in table.columns
        else np.zeros(len(table))
        for phase in ("P", "S")
    }
    return checked_stations(table, axes, corrections, file)


def _check_metres(elevation: pd.Series, file: Path) -> None:
    """A column without a unit is in m if most of it cannot be in km; less is no proof, since one value may be an error."""
    if elevation.abs().median() <= max(np.abs(LIMITS["elevation_km"])):
        remedy = "may be in m or in km; name the column elevation_m or elevation_km"
        raise ConfigError("column elevation", f"{elevation.min():g} to {elevation.max():g}", remedy, file)
    log.info("%s: elevations, %g to %g, are taken to be in m", file, elevation.min(), elevation.max())


def read_pick_parts(content: BinaryIO, file: Path, rows: int, of_events: bool = True) -> Iterator[pd.DataFrame]:
    """Picks as text, with their times in UTC, in parts; columns are known by their names, see `pick_columns`."""
    for table in read_table_parts(file, content, rows, surplus="(beyond the header)"):
        surplus = table.pop("(beyond the header)")
        yield pick_table(table, "line " + table.index.astype(str), file, of_events).assign(surplus=surplus)


def read_layers(file: Path) -> pd.DataFrame:
    """Layers from the columns depth and vp and, if wanted, vs or vp_vs."""
    return layers_of(read_table(file, []), file)


def layers_of(text: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Layers from a table of text, whose rows are named by their lines."""
    check_columns(text, ["depth", "vp"], file)
    columns = [column for column in ("depth", "vp", "vs", "vp_vs") if column in text.columns]
    table = pd.DataFrame({column: numbers(text, column, file) for column in columns}, index=text.index)
    if "vp_vs" in table.columns:
        if "vs" in table.columns:
            raise ConfigError("columns", "vs, vp_vs", "give one of the two", file)
        small = table.index[table["vp_vs"] <= 1]
        if len(small):
            raise ConfigError(place(small[0], "vp_vs"), float(table.loc[small[0], "vp_vs"]), "must be larger than 1", file)
        table["vs"] = table["vp"] / table["vp_vs"]
    return table


def write_origins(origins: Sequence[Origin], file: Path, level: float = LEVEL) -> None:
    """Write a catalogue with one row for each event.

    Columns: time (UTC), latitude and longitude (or y and x, km), depth (km), standard deviations time_uncertainty (s),
    sigma_east, sigma_north and sigma_down (km), the axes of the ellipse of the epicentre (km, degrees), quality and number of
    modes.
    """
    write_table(origin_table(origins, level), file)


def write_table(table: pd.DataFrame, file: Path) -> None:
    """Write a table, its times in UTC as ISO 8601 with microseconds."""
    with growing(file) as add:
        add(table)


@contextmanager
def growing(file: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function to write parts of a table with, as `write_table` writes it; the file is there when all are written."""
    with whole(file) as part, part.open("w", encoding="utf-8", newline="") as opened:

        def add(table: pd.DataFrame) -> None:
            dated = [name for name in table.columns if pd.api.types.is_datetime64_any_dtype(table[name].dtype)]
            text = table.assign(**{name: _iso(table[name]) for name in dated})
            text.to_csv(opened, header=opened.tell() == 0, index=False, float_format="%.6f", lineterminator="\n")

        yield add


def _iso(times: pd.Series) -> pd.Series:
    text = np.datetime_as_string(times.dt.tz_convert(None).to_numpy("datetime64[us]"), timezone="UTC")
    return pd.Series(text, index=times.index).where(times.notna(), "")


def origin_table(origins: Sequence[Origin], level: float = LEVEL) -> pd.DataFrame:
    """A row for each event with the columns of `write_origins`, the time as a time in UTC."""
    names = ("latitude", "longitude") if all(origin.geographic for origin in origins) else ("y", "x")
    return pd.DataFrame([_row(origin, names, level) for origin in origins])


def _row(origin: Origin, names: tuple[str, str], level: float) -> dict[str, object]:
    ellipse = horizontal_ellipse(origin.covariance, level)
    east, north, down = np.sqrt(np.diag(origin.covariance))
    return {
        "event": origin.event,
        "time": pd.Timestamp(origin.time.astype("datetime64[us]"), tz="UTC"),
        names[0]: origin.latitude,
        names[1]: origin.longitude,
        "depth": origin.depth,
        "time_uncertainty": origin.time_uncertainty,
        "sigma_east": east,
        "sigma_north": north,
        "sigma_down": down,
        "semi_major": ellipse.semi_major,
        "semi_minor": ellipse.semi_minor,
        "azimuth": ellipse.azimuth,
        "picks": origin.n_picks,
        "gap": origin.gap,
        "nearest": origin.nearest,
        "rms": origin.rms,
        "modes": len(origin.modes),
    }
