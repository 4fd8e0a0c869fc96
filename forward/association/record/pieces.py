"""Pieces of an input: some of its rows, checked, as compact arrays of picks and the reasons of rows that are none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.association.window.channels import Ints
from vip.forward.association.window.reasons import LATE, WEIGHTLESS, WRONG
from vip.forward.earthquakes.frames import Source, named, pick_parts_from
from vip.forward.earthquakes.picks import Before, Fault, PickRules, checked_unassociated
from vip.forward.earthquakes.stations import Stations
from vip.protocols import Floats

ROWS = 100_000
"""Most rows of a piece of a file."""
Times = NDArray[np.datetime64]


PICK = np.dtype(
    [
        ("row", "i8"),
        ("time", "M8[us]"),
        ("sigma", "f8"),
        ("probability", "f8"),
        ("station", "i4"),
        ("is_s", "?"),
        ("taken", "?"),
    ]
)
"""A pick, and whether a window took it: 38 bytes. Its row is counted from the first of the input."""


class Piece(NamedTuple):
    """Some rows of the input, one after the other, and the picks that they are."""

    rows: pd.DataFrame
    """Columns identifier, station, phase (as given), utc and left: the reason why the row is no pick, empty if it is one."""
    row: Ints
    """Row of each pick (n,), counted from the first of the piece."""
    station: Ints
    """Index of the station of each pick (n,) among all stations."""
    phase: NDArray[np.str_]
    """Phase of each pick (n,), "P" or "S"."""
    time: Times
    """Times (n,), UTC, in microseconds."""
    sigma: Floats
    """Standard deviations (n,), s, weights included; not a number where none is known."""
    probability: Floats
    """Probabilities (n,) that the picker gives; 1 where it gives none."""
    faults: list[Fault]
    """Fault of each wrong row, in the order of the rows."""
    local: bool | None
    """Whether times have no offset from UTC; unknown before there is one."""
    source: str
    """Name of the file, or what stands for it."""

    def picks(self, before: int) -> NDArray[np.void]:
        """Picks (n,), `PICK`, of a piece before which so many rows came."""
        picks = np.zeros(len(self.row), PICK)
        picks["row"], picks["is_s"] = before + self.row, self.phase == "S"
        for name in ("time", "sigma", "probability", "station"):
            picks[name] = getattr(self, name)
        return picks

    def without(self, late: NDArray[np.bool_]) -> Piece:
        """The piece without the picks (n,) that came too late."""
        rows = self.rows.copy()
        rows.loc[self.row[late], "left"] = f"{LATE}: what was found at its time had been finished"
        kept = {name: getattr(self, name)[~late] for name in ("row", "station", "phase", "time", "sigma", "probability")}
        return self._replace(rows=rows, **kept)


class Checker:
    """Checks of rows against stations, and against the rows that came before.

    Parameters
    ----------
    stations : Stations
    rules : PickRules
    """

    def __init__(self, stations: Stations, rules: PickRules) -> None:
        self.stations, self.rules, self._before = stations, rules, Before()

    def remember(self, piece: Piece) -> None:
        """Take a piece that was checked earlier as one that came before."""
        if self._before.local is None:
            self._before.local = piece.local
        if self._before.middle is None and len(piece.time):
            self._before.middle = np.sort(piece.time)[len(piece.time) // 2]
        names = piece.rows["identifier"].to_numpy(object)[piece.row]
        self._before.add(piece.station, piece.phase, piece.time, names)

    def check_few_wrong(self, file: Path) -> None:
        """Raise a ConfigError if most rows that were checked are wrong."""
        self._before.check_few_wrong(file)

    def piece(self, table: pd.DataFrame, file: Path) -> Piece:
        """The piece of some rows as text."""
        picks, faults = checked_unassociated(table, self.stations, self.rules, file, self._before)
        order = np.argsort(picks.row, kind="stable")
        left = np.full(len(table), "", object)
        weightless = pd.to_numeric(table["weight"], errors="coerce").to_numpy(float) == 0
        left[weightless] = WEIGHTLESS
        wrong = np.setdiff1d(np.flatnonzero(~weightless), picks.row)
        left[wrong] = [f"{WRONG}: {fault.message}" for fault in faults]
        rows = table[["identifier", "station", "phase", "utc"]].reset_index(drop=True).assign(left=left)
        return Piece(
            rows=rows,
            row=picks.row[order],
            station=picks.station[order],
            phase=picks.phase[order],
            time=picks.absolute_time()[order],
            sigma=(picks.sigma / np.sqrt(picks.weight))[order],
            probability=picks.probability[order],
            faults=faults,
            local=self._before.local,
            source=file.name,
        )


def pieces_of(picks: Source | Iterable[pd.DataFrame], checker: Checker) -> Iterator[Piece]:
    """Pieces of a file, a table or several tables, as they are read.

    Raises
    ------
    ConfigError
        If the input as a whole cannot be read, lacks a column or holds no pick, or if most rows are wrong.
    """
    file = named(picks, "picks") if isinstance(picks, str | Path | pd.DataFrame) else named(pd.DataFrame(), "picks")
    found = 0
    for table in pick_parts_from(picks, ROWS):
        piece = checker.piece(table, file)
        found += len(piece.row)
        yield piece
    checker.check_few_wrong(file)
    if not found:
        raise ConfigError("picks", "none", "at least one is needed", file)
