"""Stations: their positions, and the corrections of their travel times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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


class Stations(NamedTuple):
    """Stations, each name once."""

    names: list[str]
    """Names of the stations: "NET.STA" where a network is known, else "STA"."""
    position: Floats
    """Positions (n, 3): latitude and longitude in degrees, or y and x in km; elevation in km, upwards from sea level."""
    corrections: Mapping[str, Floats]
    """Corrections (n,), s, by phase, "P" and "S": they are added to the predicted time."""
    geographic: bool
    """Whether positions are latitude and longitude."""

    def indices(self) -> dict[str, int]:
        """Index of each station by its name; and by its code alone if only one network has a station of this code."""
        codes = [name.rpartition(".")[2] for name in self.names]
        number = Counter(codes)
        alone = {code: i for i, code in enumerate(codes) if number[code] == 1}
        return alone | {name: i for i, name in enumerate(self.names)}

    def chosen(self, which: NDArray[np.intp]) -> Stations:
        """Some of the stations, by their indices."""
        corrections = {phase: values[which] for phase, values in self.corrections.items()}
        return Stations([self.names[i] for i in which], self.position[which], corrections, self.geographic)


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
