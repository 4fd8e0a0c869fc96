"""Stations, picks and velocities from pandas tables, or from files: one of the two, as a user has them.

A table has the columns of the CSV files, and goes through the same checks; its rows are counted from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from vip.forward.earthquakes.formats.csv import layers_of, stations_of
from vip.forward.earthquakes.formats.parquet import as_text
from vip.forward.earthquakes.formats.pick_columns import pick_table
from vip.forward.earthquakes.reading import read_pick_parts, read_stations, read_velocity, with_identifiers
from vip.forward.earthquakes.stations import Stations
from vip.forward.earthquakes.velocity import Grid3D, Interpolation, Layered, checked_layers

Source = str | Path | pd.DataFrame
"""A file, or a table with the columns of one."""


def named(source: Source, name: str) -> Path:
    """The file, or what messages call the table in its place."""
    return Path(f"{name} (rows counted from 0)") if isinstance(source, pd.DataFrame) else Path(source)


def stations_from(source: Source) -> Stations:
    """Stations, see `vip.forward.earthquakes.reading.read_stations`."""
    if isinstance(source, pd.DataFrame):
        return stations_of(as_text(source), named(source, "stations"))
    return read_stations(Path(source))


def pick_parts_from(
    source: Source | Iterable[pd.DataFrame], rows: int | None = None, before: int = 0
) -> Iterator[pd.DataFrame]:
    """Picks as text, a row each in the order of the input, in parts, see `vip.forward.earthquakes.reading.read_pick_parts`.

    Parameters
    ----------
    source : path, DataFrame or iterable of DataFrame
        Several tables are one after the other.
    rows, before : int
        As for `read_pick_parts`, if it is a file.
    """
    if isinstance(source, str | Path):
        yield from read_pick_parts(Path(source), rows, before)
        return
    for table in [source] if isinstance(source, pd.DataFrame) else source:
        text = as_text(table)
        place = "row " + (before + text.index).astype(str)
        yield with_identifiers(pick_table(text, place, named(table, "picks"), of_events=False), before)
        before += len(table)


def velocity_from(source: Source, between: Interpolation = "constant") -> Layered | Grid3D:
    """Layers or a grid, see `vip.forward.earthquakes.reading.read_velocity`; a table has layers."""
    if isinstance(source, pd.DataFrame):
        file = named(source, "velocity")
        return checked_layers(layers_of(as_text(source), file), between, file)
    return read_velocity(Path(source), between)
