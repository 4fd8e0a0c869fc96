"""StationXML: stations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vip.earth import KM_PER_DEGREE
from vip.errors import ConfigError
from vip.forward.earthquakes.stations import Stations, checked_stations

LARGEST_MOVE = 0.1
"""Largest distance, km, that a station of StationXML may move between its epochs and still be one station."""


def read_stations(file: Path) -> Stations:
    """Stations from StationXML; the surface above a borehole instrument is its position, as in the station's own element."""
    try:
        from obspy import read_inventory
    except ImportError as error:
        raise ConfigError("", file, "StationXML needs obspy: pip install 'vip-inversion[seismology]'") from error
    try:
        inventory = read_inventory(str(file), format="STATIONXML", level="station")
    except Exception as error:  # a damaged file may raise anything
        raise ConfigError("", file, f"is not StationXML: {error}") from error
    rows = [
        (
            f"{network.code}.{station.code}",
            *(station.latitude, station.longitude, station.elevation / 1000),
            *(_moment(station.start_date), _moment(station.end_date)),
        )
        for network in inventory
        for station in network
    ]
    table = pd.DataFrame(rows, columns=["station", "latitude", "longitude", "elevation_km", "start", "end"])
    table.index += 1
    axes = ["latitude", "longitude"]
    steps = table.groupby("station")[axes].agg(np.ptp).max(axis=1) * KM_PER_DEGREE
    for name, moved in steps[steps > LARGEST_MOVE].items():
        remedy = f"its epochs are {moved:.3g} km apart; keep that of the events, or give each epoch a code of its own"
        raise ConfigError("station", name, remedy, file)
    epochs = table.groupby("station")
    ends = [epochs["start"].agg(_unless_open, "min"), epochs["end"].agg(_unless_open, "max")]
    table = table.drop_duplicates("station", keep="last")
    stations = checked_stations(table, axes, {phase: np.zeros(len(table)) for phase in ("P", "S")}, file)
    operation = np.stack([end.loc[stations.names].to_numpy("datetime64[us]") for end in ends], axis=1)
    return stations._replace(operation=operation)


def _moment(time: Any) -> np.datetime64:
    """A time of obspy; not a time if it is None."""
    return np.datetime64("NaT", "us") if time is None else np.datetime64(time.datetime, "us")


def _unless_open(moments: pd.Series, which: str) -> Any:
    """The smallest or largest of the moments; not a time if one of them is not known."""
    return pd.NaT if moments.isna().any() else moments.agg(which)
