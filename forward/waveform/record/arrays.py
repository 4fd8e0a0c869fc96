"""Seismograms as an array, with a table of the channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vip.errors import ConfigError
from vip.forward.waveform.channels import read_channels
from vip.forward.waveform.record.record import Record
from vip.protocols import Floats

DATASET = "data"
ARRAYS = (".npy", ".h5", ".hdf5")


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
