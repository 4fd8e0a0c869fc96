"""Columns of tables of picks, known by the names that this package and other programs give them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vip.errors import ConfigError
from vip.forward.earthquakes.picks import COLUMNS, with_times

NAMES = {
    # name here: here and PyOcto, SeisBench and PhaseNet, GaMMA and HARPA
    "station": ("station", "station_id"),
    "phase": ("phase", "phase_type", "type"),
    "time": ("time", "phase_time", "timestamp"),
    "sigma": ("sigma",),
    "probability": ("probability", "phase_score", "prob"),
    "amplitude": ("amplitude", "phase_amplitude", "amp"),
    "weight": ("weight",),
    "event": ("event",),
    "identifier": ("id",),
}
"""Names of each column. Where no column is the station by its name, as in GaMMA, `id` is the station, not the pick's."""


def is_header(line: str) -> bool:
    """Whether a line is the header of a table of picks: words between commas, or between tabs if one of them is known."""
    words = {word.strip() for word in line.split("\t")}
    return "," in line or any(name in words for names in NAMES.values() for name in names)


def pick_table(table: pd.DataFrame, source: pd.Index | pd.Series, file: Path, of_events: bool) -> pd.DataFrame:
    """Picks as text with the columns of `COLUMNS`, and their times in UTC, from a table of text.

    Parameters
    ----------
    table : DataFrame
        Text, empty where nothing is given.
    source : (n,) text
        Place of each row in the file.
    file : Path
    of_events : bool
        Whether the column event is needed.

    Raises
    ------
    ConfigError
        If a column is missing, or there are two for the same.
    """
    found = {column: [name for name in names if name in table.columns] for column, names in NAMES.items()}
    if not found["station"]:
        found["station"], found["identifier"] = found["identifier"], []
    shown = ", ".join(map(str, table.columns))
    for column in COLUMNS[:4] if of_events else COLUMNS[1:4]:
        if not found[column]:
            expected = ",".join(COLUMNS[:4] if of_events else COLUMNS[1:4])
            others = f", or {' or '.join(NAMES[column][1:])}" if NAMES[column][1:] else ""
            remedy = f"there is no column {column!r}; expected {expected} between commas{others}"
            raise ConfigError("columns", shown, remedy, file)
    for column, names in found.items():
        if len(names) > 1:
            raise ConfigError("columns", ", ".join(names), f"only one column may be the {column}; leave the others out", file)
    columns = {column: table[names[0]] if names else "" for column, names in found.items()}
    return with_times(pd.DataFrame(columns | {"source": source}, index=table.index)[COLUMNS])
