"""Stations: their positions, and the corrections of their travel times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.tables import place
from vip.protocols import Floats

LIMITS = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 360.0), "elevation_km": (-12.0, 9.0)}
"""Limits of coordinates on Earth: degrees, and km from the deepest sea floor to the highest mountain."""


class Code(NamedTuple):
    """Parts of a station's name, as in SEED; empty where they are not known."""

    network: str
    station: str
    location: str = ""
    channel: str = ""

    def agrees(self, other: Code) -> bool:
        """Whether no part that both have is different."""
        return all(mine == its or "" in (mine, its) for mine, its in zip(self, other, strict=True))


def code_of(name: str) -> Code:
    """Parts of a name such as BOM, CI.BOM or CI.BOM.00.HH; a name of more parts is a station's alone."""
    match name.split("."):
        case [network, station, *others] if len(others) <= 2:
            return Code(network, station, *others)
        case _:
            return Code("", name)


class Stations(NamedTuple):
    """Stations, each name once."""

    names: list[str]
    """Names of the stations: "NET.STA" where a network is known, else "STA"; or "NET.STA.LOC.CHA", with empty parts."""
    position: Floats
    """Positions (n, 3): latitude and longitude in degrees, or y and x in km; elevation in km, upwards from sea level."""
    corrections: Mapping[str, Floats]
    """Corrections (n,), s, by phase, "P" and "S": they are added to the predicted time."""
    geographic: bool
    """Whether positions are latitude and longitude."""
    operation: NDArray[np.datetime64] | None = None
    """First and last moment of each station (n, 2), UTC, in microseconds, not a time where unknown; None if all are."""

    def indices(self, names: Iterable[str]) -> dict[str, int]:
        """Index of the station by each of the names that only one station can bear.

        That is the station of exactly this name; or else the only one of this code whose network, location and channel do not
        contradict the name; or else the only one whose network does not. BOM, CI.BOM and CI.BOM..HH are thus the same station
        wherever no other could be meant.
        """
        exact = {name: i for i, name in enumerate(self.names)}
        by_code = defaultdict(list)
        for name, i in exact.items():
            code = code_of(name)
            by_code[code.station].append((code, i))
        found = {}
        for name in names:
            wanted = code_of(name)
            of_network = [
                (code, i) for code, i in by_code.get(wanted.station, []) if code[:2] == wanted[:2] or "" in (code[0], wanted[0])
            ]
            alike = [(code, i) for code, i in of_network if code.agrees(wanted)] or of_network
            if name in exact:
                found[name] = exact[name]
            elif len(alike) == 1:
                found[name] = alike[0][1]
        return found

    def codes(self) -> list[str]:
        """Code of each station without its network, or its name where another network has that code too."""
        codes = [code_of(name).station for name in self.names]
        known = self.indices(codes)
        return [code if known.get(code) == i else self.names[i] for i, code in enumerate(codes)]

    def chosen(self, which: NDArray[np.intp]) -> Stations:
        """Some of the stations, by their indices."""
        corrections = {phase: values[which] for phase, values in self.corrections.items()}
        operation = None if self.operation is None else self.operation[which]
        return Stations([self.names[i] for i in which], self.position[which], corrections, self.geographic, operation)


def checked_stations(table: pd.DataFrame, axes: list[str], corrections: Mapping[str, Floats], file: Path) -> Stations:
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
            raise ConfigError(place(int(str(line)), column), value, remedy, file)
    position = table[[*axes, "elevation_km"]].to_numpy(float)
    return Stations(list(names), position, corrections, geographic=axes[0] == "latitude")
