"""Stations, picks and velocities from files of any format, which is recognised by their content."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.earthquakes.formats import csv, netcdf, parquet, quakeml, real, stationxml
from vip.forward.earthquakes.formats.nonlinloc import control, grids, phases
from vip.forward.earthquakes.formats.pick_columns import is_header
from vip.forward.earthquakes.picks import Fault, PickRules, Picks, UnassociatedPicks, checked_picks, checked_unassociated
from vip.forward.earthquakes.stations import Stations
from vip.forward.earthquakes.velocity import Grid3D, Interpolation, Layered, checked_layers
from vip.forward.tables import as_text, opened, read_text

NETCDF = (".nc", ".nc4", ".netcdf")
"""Suffixes of NetCDF files."""
HEADER = ".hdr"
"""Suffix of the header of a NonLinLoc grid."""
BEGINNING = 65536
"""Bytes from which a format is recognised; comments before are no longer."""
ALL = sys.maxsize
"""Rows of a part that is the whole."""


def read_stations(file: Path) -> Stations:
    """Stations from a CSV table, StationXML or the GTSRCE lines of a NonLinLoc control file, by the content of the file.

    A CSV table has the columns station, latitude, longitude (degrees) or station, x, y (km, east and north), and elevation_m or
    elevation_km; it may have the columns network, correction_p and correction_s (s). Names of GaMMA and PyOcto, such as
    id and elevation(m), are known too. A column elevation is read as m where its
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
    table = pd.concat(list(_pick_tables(file, of_events=True)))
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
    return pd.concat(list(read_pick_parts(file)))


def read_pick_parts(file: Path, rows: int | None = None, before: int = 0) -> Iterator[pd.DataFrame]:
    """The rows of `read_pick_rows` in parts of at most so many, of CSV and Parquet; of other formats all at once.

    Parameters
    ----------
    file : path
    rows : int, optional
        Number of rows of a part; all if it is not given.
    before : int
        Number of rows that came before, from which those of the file are counted on where they have no identifier.

    Raises
    ------
    ConfigError
        As `read_pick_rows` does, when the part in question is read.
    """
    for table in _pick_tables(file, of_events=False, rows=rows):
        yield with_identifiers(table, before)
        before += len(table)


def with_identifiers(table: pd.DataFrame, before: int = 0) -> pd.DataFrame:
    """The table with the number of its row as the identifier of each pick that has none; so many rows come before it."""
    number = pd.Series(before + np.arange(len(table)), table.index).astype(str)
    return table.assign(identifier=table["identifier"].where(table["identifier"] != "", number))


def _pick_tables(file: Path, of_events: bool, rows: int | None = None) -> Iterator[pd.DataFrame]:
    """Picks as text with their times in UTC, at least one."""
    tables = _folder_tables(file, of_events) if file.is_dir() else _file_tables(file, of_events, rows or ALL)
    found = 0
    for table in tables:
        found += len(table)
        yield table
    if not found:
        raise ConfigError("picks", "none", "at least one is needed", file)


def _folder_tables(folder: Path, of_events: bool) -> Iterator[pd.DataFrame]:
    if of_events:
        raise ConfigError(
            "picks", folder, "is a folder, as of REAL, whose picks have no events; expected a file of picks with events"
        )
    yield real.read_picks(folder)


def _file_tables(file: Path, of_events: bool, rows: int) -> Iterator[pd.DataFrame]:
    """Tables of a file, which is read and unpacked once; the format is that of its beginning."""
    with opened(file) as content:
        start = io.BufferedReader(cast(io.RawIOBase, content), BEGINNING)
        beginning = start.peek(BEGINNING)
        lines = beginning.decode("utf-8-sig", errors="ignore").splitlines()
        first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
        if beginning.startswith(parquet.MAGIC):
            yield from parquet.read_pick_parts(start, file, rows, of_events)
        elif first.lstrip().startswith("<"):
            yield quakeml.read_picks(start.read(), file, of_events)
        elif is_header(first):
            yield from csv.read_pick_parts(start, file, rows, of_events)
        else:
            yield phases.read_picks(as_text(start.read(), file, "a file of picks"), file)


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
