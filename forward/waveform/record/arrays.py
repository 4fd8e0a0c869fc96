"""Seismograms as an array, with a table of the channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vip.errors import ConfigError
from vip.forward.tables import numbers, place, read_table
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.record.record import Record
from vip.protocols import Floats

COLUMNS = ["station", "channel", "kind", "x", "y", "depth", "azimuth", "dip"]
DATASET = "data"
ARRAYS = (".npy", ".h5", ".hdf5")
FARTHEST = 1e6
"""Largest coordinate, m: more is no local network."""


def read_arrays(data: Path, channels: Path, dt: float | None, start: float) -> Record:
    """Seismograms (channels, samples) from .npy or HDF5, whose rows are the rows of a table of channels.

    Raises
    ------
    ConfigError
        If the files cannot be read, or do not fit together.
    """
    if dt is None:
        raise ConfigError("time.dt", None, "an array needs its sampling interval, s")
    table = read_channels(channels)
    traces = _read(data)
    if traces.ndim != 2 or len(traces) != len(table):
        raise ConfigError(
            DATASET, f"shape {traces.shape}", f"expected (channels, samples), and {channels} has {len(table)} channels", data
        )
    if traces.shape[1] < 2:
        raise ConfigError(DATASET, f"shape {traces.shape}", "expected at least two samples", data)
    return Record(table, traces, dt, start)


def read_channels(file: Path) -> tuple[Channel, ...]:
    """Channels from CSV with the columns `COLUMNS`; azimuth and dip of pressure channels may be empty.

    Raises
    ------
    ConfigError
        If a row is not that of a channel, or two are of one.
    """
    table = read_table(file, COLUMNS)
    if table.empty:
        raise ConfigError("rows", 0, "expected one for each channel", file)
    for column in ("azimuth", "dip"):
        table.loc[(table["kind"] == "pressure") & (table[column] == ""), column] = "0"
    values = {column: numbers(table, column, file) for column in COLUMNS[3:]}
    for column in ("x", "y", "depth"):
        for line, value in zip(
            table.index[np.abs(values[column]) > FARTHEST], values[column][np.abs(values[column]) > FARTHEST], strict=True
        ):
            raise ConfigError(place(line, column), float(value), f"must be in m, and at most {FARTHEST:g} m from zero", file)
    for line, value in zip(table.index[np.abs(values["dip"]) > 90], values["dip"][np.abs(values["dip"]) > 90], strict=True):
        raise ConfigError(place(line, "dip"), float(value), "must be from -90 (up) to 90 (down)", file)
    made: list[Channel] = []
    for i, (line, row) in enumerate(table.iterrows()):
        kind, position = row["kind"], (float(values["x"][i]), float(values["y"][i]), float(values["depth"][i]))
        if kind not in ("pressure", "velocity"):
            raise ConfigError(place(int(str(line)), "kind"), kind or "nothing", 'must be "pressure" or "velocity"', file)
        direction = (0.0, 0.0, 0.0) if kind == "pressure" else pointing(values["azimuth"][i], values["dip"][i])
        channel = Channel(row["station"], row["channel"], kind, position, direction)
        if any((channel.station, channel.name) == (other.station, other.name) for other in made):
            raise ConfigError(place(int(str(line)), "channel"), f"{channel.station} {channel.name}", "is there twice", file)
        made.append(channel)
    return tuple(made)


def pointing(azimuth: float, dip: float) -> tuple[float, float, float]:
    """Unit vector in x (east), y (north) and depth of an azimuth from north and a dip down from the horizontal, degrees (SEED).

    Examples
    --------
    A vertical channel whose motion up is positive has a dip of -90, one whose motion down is positive has +90:

    >>> [tuple(round(c, 9) + 0.0 for c in pointing(0.0, dip)) for dip in (-90.0, 90.0)]
    [(0.0, 0.0, -1.0), (0.0, 0.0, 1.0)]
    """
    a, d = np.radians([azimuth, dip])
    return float(np.cos(d) * np.sin(a)), float(np.cos(d) * np.cos(a)), float(np.sin(d))


def _read(file: Path) -> Floats:
    import h5py

    try:
        if file.suffix == ".npy":
            return np.asarray(np.load(file), dtype=float)
        with h5py.File(file) as store:
            return np.asarray(store[DATASET][...], dtype=float)
    except KeyError as error:
        raise ConfigError(DATASET, file, "there is no such dataset in the file") from error
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError("", file, f"cannot be read: {error}") from error
