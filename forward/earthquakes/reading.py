"""Stations, picks and velocities from files of any format, which is recognised by their content."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.earthquakes.formats import csv, netcdf, parquet, quakeml, real, stationxml
from vip.forward.earthquakes.formats.nonlinloc import control, grids, phases
from vip.forward.earthquakes.formats.pick_columns import is_header
from vip.forward.earthquakes.picks import Fault, PickRules, Picks, UnassociatedPicks, checked_picks, checked_unassociated
from vip.forward.earthquakes.stations import Stations
from vip.forward.earthquakes.velocity import Grid3D, Interpolation, Layered, checked_layers
from vip.forward.tables import read_bytes, read_text

NETCDF = (".nc", ".nc4", ".netcdf")
"""Suffixes of NetCDF files."""
HEADER = ".hdr"
"""Suffix of the header of a NonLinLoc grid."""


def read_stations(file: Path) -> Stations:
    """Stations from a CSV table, StationXML or the GTSRCE lines of a NonLinLoc control file, by the content of the file.

    A CSV table has the columns station, latitude, longitude (degrees) or station, x, y (km, east and north), and elevation_m or
    elevation_km; it may have the columns network, correction_p and correction_s (s). A column elevation is read as m where its
    median is larger than any elevation in km can be; otherwise its name must say the unit.

    Raises
    ------
    ConfigError
        If there is a fault; the message names the file, line and column of the first one.
    """
    text = read_text(file, "a table of stations")
    if text.lstrip().startswith("<"):
        return stationxml.read_stations(file)
    if any(line.startswith("GTSRCE") for line in text.splitlines()):
        return control.read_stations(text, file)
    return csv.read_stations(file)


def read_picks(file: Path, stations: Stations, rules: PickRules | None = None) -> tuple[Picks, list[Fault]]:
    """Picks from a CSV table, QuakeML or NonLinLoc phase or hypocentre-phase files, by the content of the file.

    A CSV table has the columns event, station, phase, time (ISO 8601) and, if wanted, sigma (s) and weight; a pick of weight 0
    is left out; it may be any table of `read_unassociated` that has a column event. Of an event in QuakeML, the picks are those
    that the preferred origin's arrivals refer to, or else all; rejected ones are left out. NonLinLoc events are separated by
    blank lines.

    Returns
    -------
    picks : Picks
        Picks of the events without a fault, in the order of the file.
    faults : list of Fault
        Faults of the other events, the first of each kind for each event.

    Raises
    ------
    ConfigError
        If the file as a whole cannot be read, lacks a column or holds no pick.
    """
    table = _pick_table(file, of_events=True)
    return checked_picks(table, stations, rules or PickRules(), file)


def read_unassociated(file: Path, stations: Stations, rules: PickRules | None = None) -> tuple[UnassociatedPicks, list[Fault]]:
    """Picks without their events, from the formats of `read_picks`, Parquet, or a folder of REAL.

    A table needs no column event. It may have the columns probability, amplitude and id, the pick's identifier. Columns are
    also known by the names that SeisBench, PhaseNet, GaMMA, PyOcto and HARPA give them, which `NAMES` of
    `vip.forward.earthquakes.formats.pick_columns` lists. A time may be a number, s since 1970 in UTC. A table of text may be
    separated by tabs, and compressed by gzip. QuakeML may have picks outside of events; rejected ones are left out. REAL's
    folder has a folder YYYYMMDD for each day, with files NET.STA.P.txt and NET.STA.S.txt.

    Where there are events, picks are read without them. Nothing is known of which picks belong together, so that
    `PickRules.fewest` and `PickRules.longest` do not count, and later arrivals of a phase stay.

    Returns
    -------
    picks : UnassociatedPicks
        Picks without a fault, in the order of their times.
    faults : list of Fault
        The first fault of each other pick, in the order of the file.

    Raises
    ------
    ConfigError
        If the file as a whole cannot be read, lacks a column or holds no pick, or if more than half of its picks have a fault.
    """
    return checked_unassociated(read_pick_rows(file), stations, rules or PickRules(), file)


def read_pick_rows(file: Path) -> pd.DataFrame:
    """Picks as text, a row each in the order of the file, of the formats of `read_unassociated`, before any is checked.

    Columns are those of `vip.forward.earthquakes.picks.COLUMNS`, with an identifier for each row, `utc` and `zone`.

    Raises
    ------
    ConfigError
        If the file as a whole cannot be read, lacks a column or holds no pick.
    """
    return with_identifiers(_pick_table(file, of_events=False))


def with_identifiers(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the number of its row, counted from 0, as the identifier of each pick that has none."""
    own = table["identifier"] != ""
    return table.assign(identifier=table["identifier"].where(own, pd.Series(np.arange(len(table)), table.index).astype(str)))


def _pick_table(file: Path, of_events: bool) -> pd.DataFrame:
    """Picks as text with their times in UTC, at least one."""
    table = _folder_table(file, of_events) if file.is_dir() else _file_table(file, of_events)
    if table.empty:
        raise ConfigError("picks", "none", "at least one is needed", file)
    return table


def _folder_table(folder: Path, of_events: bool) -> pd.DataFrame:
    if of_events:
        raise ConfigError(
            "picks", folder, "is a folder, as of REAL, whose picks have no events; expected a file of picks with events"
        )
    return real.read_picks(folder)


def _file_table(file: Path, of_events: bool) -> pd.DataFrame:
    content = read_bytes(file)
    if content.startswith(parquet.MAGIC):
        return parquet.read_picks(content, file, of_events)
    text = read_text(file, "a file of picks")
    first = next((line for line in io.StringIO(text) if line.strip() and not line.startswith("#")), "")
    if first.lstrip().startswith("<"):
        return quakeml.read_picks(file, of_events)
    if is_header(first):
        return csv.read_picks(file, of_events)
    return phases.read_picks(text, file)


def read_velocity(file: Path, between: Interpolation = "constant") -> Layered | Grid3D:
    """Layers from text, or a grid from NetCDF or from the header of a NonLinLoc grid of P (model.P.mod.hdr) and that of S.

    Raises
    ------
    ConfigError
        See `read_layers`, and the formats `netcdf` and `nonlinloc.grids`.
    """
    if file.suffix in NETCDF:
        return netcdf.read_velocity(file)
    if file.suffix == HEADER:
        return grids.read_grids(_headers(file))
    return read_layers(file, between)


def velocity_files(file: Path) -> list[Path]:
    """All files that are read for a velocity model: for a NonLinLoc grid, headers and buffers of its phases."""
    if file.suffix != HEADER:
        return [file]
    return [part for header in _headers(file).values() for part in (header, header.with_suffix(".buf"))]


def _headers(of_p: Path) -> dict[str, Path]:
    """Headers by phase; the grid of S is the file of the same name with S for P, if it is there."""
    before, found, after = of_p.name.rpartition(".P.")
    if not found:
        raise ConfigError("velocity", of_p, "expected the grid of P, with .P. in its name, such as model.P.mod.hdr")
    of_s = of_p.with_name(f"{before}.S.{after}")
    return {"P": of_p, "S": of_s} if of_s.is_file() else {"P": of_p}


def read_layers(file: Path, between: Interpolation = "constant") -> Layered:
    """Layers from a CSV table (depth, vp and, if wanted, vs or vp_vs) or the LAYER lines of a NonLinLoc control file.

    Parameters
    ----------
    between : "constant" or "linear"
        Velocity between the depths of the file. Gradients of NonLinLoc layers come before this. If it is linear, a depth may
        stand twice, for a discontinuity.

    Raises
    ------
    ConfigError
        If there is a fault; the message names the file, line and column of the first one.
    """
    lines = read_text(file, "a table of layers").splitlines()
    of_nonlinloc = any(line.startswith("LAYER") for line in lines)
    table = control.read_layers(lines, file) if of_nonlinloc else csv.read_layers(file)
    return checked_layers(table, between, file)
