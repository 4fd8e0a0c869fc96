"""Stations: where they are, and the corrections of their travel times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.tables import numbers, place, read_table, read_text

Floats = NDArray[np.float64]

LIMITS = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 360.0), "elevation_km": (-12.0, 9.0)}
"""What can be on Earth: degrees, and km from the deepest sea floor to the highest mountain."""
LARGEST_MOVE = 0.1
"""km; a station of StationXML that moved further between its epochs is not one station."""


class Stations(NamedTuple):
    """Stations, each name once."""

    names: list[str]
    """"NET.STA" where a network is known, else "STA"."""
    position: Floats
    """(n, 3) latitude and longitude in degrees, or y and x in km; elevation in km, positive upwards, 0 at sea level."""
    corrections: Mapping[str, Floats]
    """(n,) s by phase, "P" and "S": the predicted time is increased by them."""
    geographic: bool
    """Whether positions are latitude and longitude."""

    def indices(self) -> dict[str, int]:
        """Where each station is, by its name; and by its code alone if only one network has a station of this code."""
        codes = [name.rpartition(".")[2] for name in self.names]
        number = Counter(codes)
        alone = {code: i for i, code in enumerate(codes) if number[code] == 1}
        return alone | {name: i for i, name in enumerate(self.names)}

    def chosen(self, which: NDArray[np.intp]) -> Stations:
        """Some of them, by their indices."""
        corrections = {phase: values[which] for phase, values in self.corrections.items()}
        return Stations([self.names[i] for i in which], self.position[which], corrections, self.geographic)


def read_stations(file: Path) -> Stations:
    """Stations from a CSV table, StationXML or the GTSRCE lines of a NonLinLoc control file, as the content tells.

    A CSV table has the columns station, latitude, longitude (degrees) or station, x, y (km, east and north), and elevation_m or
    elevation_km; it may have the columns network, correction_p and correction_s (s).

    Raises
    ------
    ConfigError
        Names the file, line and column of the first fault.
    """
    text = read_text(file, "a table of stations")
    if text.lstrip().startswith("<"):
        return _read_stationxml(file)
    if any(line.startswith("GTSRCE") for line in text.splitlines()):
        return _read_nonlinloc(text, file)
    return _read_csv(file)


def _read_csv(file: Path) -> Stations:
    table = read_table(file, ["station"])
    if "network" in table.columns:
        table["station"] = [
            f"{net}.{code}" if net else code for net, code in zip(table["network"], table["station"], strict=True)
        ]
    geographic = "latitude" in table.columns
    axes = ["latitude", "longitude"] if geographic else ["y", "x"]
    heights = [column for column in ("elevation_km", "elevation_m") if column in table.columns]
    for column in axes:
        if column not in table.columns:
            raise ConfigError("columns", ", ".join(table.columns), "expected latitude and longitude, or x and y", file)
    if len(heights) != 1:
        found = ", ".join(heights) or "no unit of elevation"
        raise ConfigError("columns", found, "expected one column, elevation_m or elevation_km", file)
    for column in (*axes, *heights):
        table[column] = numbers(table, column, file)
    table["elevation_km"] = table[heights[0]] * (0.001 if heights == ["elevation_m"] else 1.0)
    none = pd.Series(0.0, index=table.index)
    corrections = {
        phase: numbers(table, column, file) if (column := f"correction_{phase.lower()}") in table.columns else none.to_numpy()
        for phase in ("P", "S")
    }
    return _checked(table, axes, corrections, file)


def _read_stationxml(file: Path) -> Stations:
    """The surface above a borehole instrument counts as its position, as in the station's own element."""
    try:
        from obspy import read_inventory
    except ImportError as error:
        raise ConfigError("", file, "StationXML needs obspy: pip install 'vip-inversion[seismology]'") from error
    try:
        inventory = read_inventory(str(file), format="STATIONXML", level="station")
    except Exception as error:  # a damaged file may raise anything
        raise ConfigError("", file, f"is not StationXML: {error}") from error
    rows = [
        (f"{network.code}.{station.code}", station.latitude, station.longitude, station.elevation / 1000)
        for network in inventory
        for station in network
    ]
    table = pd.DataFrame(rows, columns=["station", "latitude", "longitude", "elevation_km"])
    table.index += 1
    axes = ["latitude", "longitude"]
    steps = table.groupby("station")[axes].agg(np.ptp).max(axis=1) * 111.0
    for name, moved in steps[steps > LARGEST_MOVE].items():
        remedy = f"its epochs are {moved:.3g} km apart; keep that of the events, or give each epoch a code of its own"
        raise ConfigError("station", name, remedy, file)
    table = table.drop_duplicates("station", keep="last")
    return _checked(table, axes, {phase: np.zeros(len(table)) for phase in ("P", "S")}, file)


def _read_nonlinloc(text: str, file: Path) -> Stations:
    lines = {number: line.split()[1:] for number, line in enumerate(text.splitlines(), 1) if line.startswith("GTSRCE")}
    rows = {number: _source(fields, number, file) for number, fields in lines.items()}
    kinds = {number: fields[1] == "XYZ" for number, fields in lines.items()}
    cartesian = next(iter(kinds.values()))
    for number, kind in kinds.items():
        if kind != cartesian:
            raise ConfigError(f"line {number}", lines[number][1], "XYZ and geographic sources cannot be mixed", file)
    axes = ["y", "x"] if cartesian else ["latitude", "longitude"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["station", *axes, "elevation_km"])
    return _checked(table, axes, {phase: np.zeros(len(table)) for phase in ("P", "S")}, file)


def _source(fields: list[str], line: int, file: Path) -> tuple[str, float, float, float]:
    """Name, two coordinates and elevation from what follows GTSRCE (NonLinLoc control file, Grid2Time)."""
    try:
        label, kind, *rest = fields
        if kind == "XYZ":
            x, y, depth, elevation = map(float, rest)
            return label, y, x, elevation - depth
        if kind == "LATLON":
            latitude, longitude, depth, elevation = map(float, rest)
            return label, latitude, longitude, elevation - depth
        parts = {"LATLONDM": 2, "LATLONDS": 3}[kind]
        *angles, depth, elevation = rest
        latitude, longitude = (_degrees(angles[i : i + parts + 1]) for i in (0, parts + 1))
        if len(angles) != 2 * (parts + 1):
            raise ValueError
        return label, latitude, longitude, float(elevation) - float(depth)
    except (ValueError, KeyError, IndexError) as error:
        remedy = "expected GTSRCE label LATLON latitude longitude depth elevation, or XYZ, LATLONDM or LATLONDS; km"
        raise ConfigError(f"line {line}", " ".join(fields), remedy, file) from error


def _degrees(parts: list[str]) -> float:
    """Of degrees, minutes, (seconds,) and N, S, E or W."""
    *values, side = parts
    size = sum(float(value) / 60**i for i, value in enumerate(values))
    return size * {"N": 1, "E": 1, "S": -1, "W": -1}[side.upper()]


def _checked(table: pd.DataFrame, axes: list[str], corrections: Mapping[str, Floats], file: Path) -> Stations:
    """Stations from a table whose rows are named by their lines."""
    if table.empty:
        raise ConfigError("stations", "none", "at least one is needed", file)
    names = table["station"]
    for fault, remedy in (
        (names == "", "a station needs a name"),
        (names.duplicated(), "this station is already in the table"),
    ):
        if fault.any():
            line = names.index[fault][0]
            raise ConfigError(place(line, "station"), names[line] or "nothing", remedy, file)
    for column in (name for name in LIMITS if name in table.columns):
        low, high = LIMITS[column]
        for line, value in table.loc[~table[column].between(low, high), column].items():
            remedy = f"must be between {low:g} and {high:g}" + (" km; is it in m?" if column == "elevation_km" else " degrees")
            raise ConfigError(place(line, column), value, remedy, file)
    position = table[[*axes, "elevation_km"]].to_numpy(float)
    return Stations(list(names), position, corrections, geographic=axes[0] == "latitude")
