"""The truth beside an association, where it is known."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.association.window.channels import Ints

EVENTS, ASSIGNMENTS, VELOCITY = "truth.csv", "truth_assignments.csv", "velocity.csv"
"""Files of a truth, as `vip simulate association` writes them."""


class Truth(NamedTuple):
    """True events, and the true event of each pick."""

    events: pd.DataFrame
    """Event (its name), time (UTC), latitude and longitude in degrees (or y and x, km), and depth (km)."""
    assignments: pd.DataFrame
    """Id of each pick and its event, empty if it is of none; so are picks that are not in the table."""
    velocity: pd.DataFrame | None = None
    """True speeds, if they are known: depth (km) of the top of each layer, vp and vs (km/s)."""

    def event_of(self, identifiers: pd.Series) -> Ints:
        """Row in `events` of the true event of each pick (n,), by identifier; -1 where it is of none."""
        name = pd.Series(self.assignments["event"].to_numpy(object), self.assignments["id"].astype(str))
        number = pd.Series(np.arange(len(self.events)), self.events["event"].astype(str))
        found: Ints = identifiers.astype(str).map(name).map(number).fillna(-1).to_numpy(int)
        return found


def read_truth(directory: str | Path) -> Truth:
    """Read truth.csv and truth_assignments.csv of a folder, and velocity.csv if it is there.

    Raises
    ------
    ConfigError
        If one is missing or lacks a column, or if they do not agree.
    """
    events = _table(Path(directory) / EVENTS, ["event", "time", "depth"])
    if not ({"latitude", "longitude"} <= set(events) or {"y", "x"} <= set(events)):
        raise ConfigError(
            "columns", ", ".join(map(str, events)), "expected latitude and longitude, or y and x", Path(directory) / EVENTS
        )
    assignments = _table(Path(directory) / ASSIGNMENTS, ["id", "event"])
    for column, table, file in (("event", events, EVENTS), ("id", assignments, ASSIGNMENTS)):
        twice = table.loc[table[column].duplicated(), column]
        if len(twice):
            raise ConfigError(column, twice.iloc[0], "is in the table twice", Path(directory) / file)
    unknown = set(assignments["event"]) - set(events["event"]) - {""}
    if unknown:
        remedy = f"is not among the events of {EVENTS}; leave the event of a pick that is of none empty"
        raise ConfigError("event", min(unknown), remedy, Path(directory) / ASSIGNMENTS)
    velocity = Path(directory) / VELOCITY
    return Truth(events, assignments, _table(velocity, ["depth", "vp"]) if velocity.is_file() else None)


def _table(file: Path, columns: list[str]) -> pd.DataFrame:
    if not file.is_file():
        raise ConfigError("truth", file.parent, f"has no file {file.name}; a truth is {EVENTS} and {ASSIGNMENTS}")
    table = pd.read_csv(file, keep_default_na=False, dtype={"id": str, "event": str})
    missing = [name for name in columns if name not in table]
    if missing:
        raise ConfigError("columns", ", ".join(map(str, table)), f"there is no column {missing[0]}", file)
    return table
