"""Models, waveforms and wavelets from files: .npy, HDF5, SEG-Y or plain text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from vip.errors import ConfigError
from vip.forward.fwi2d.survey import Survey
from vip.protocols import Floats

SEGY = (".sgy", ".segy")
DATASET = "data"
"""Name of the dataset in an HDF5 file."""
SAME_DT = 1e-6
"""Relative difference below which two sampling intervals are one: SEG-Y rounds to microseconds."""


class Recording(NamedTuple):
    """Content of a SEG-Y file."""

    traces: Floats
    """Traces (traces, samples)."""
    dt: float
    survey: Survey


def read_array(file: Path) -> Floats:
    """Numbers from a file, by its suffix; SEG-Y gives (traces, samples).

    Raises
    ------
    ConfigError
        If the file cannot be read or holds a number that is not finite.
    """
    suffix = file.suffix.lower()
    try:
        if suffix == ".npy":
            values = np.load(file)
        elif suffix in (".h5", ".hdf5"):
            with h5py.File(file) as store:
                values = store[DATASET][...]
        elif suffix in SEGY:
            values = read_segy(file).traces
        else:
            values = np.loadtxt(file)
        values = np.asarray(values, dtype=float)
    except KeyError as error:
        raise ConfigError(DATASET, file, "there is no such dataset in the file") from error
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError("", file, f"cannot be read: {error}") from error
    return values


def read_section(file: Path, shape: tuple[int, int], spacing: tuple[float, float], own_spacing: float | None = None) -> Floats:
    """A velocity section (rows, columns); from a SEG-Y file, one column a trace.

    With `own_spacing`, the file's nodes are that far apart, and the section is interpolated linearly at the nodes of the grid.
    """
    values = read_array(file)
    if file.suffix.lower() in SEGY:
        values = values.T
    if own_spacing is None:
        if values.size != math.prod(shape) or (values.ndim == 2 and values.shape != shape):
            raise ConfigError("shape", values.shape, f"expected {shape}; or give the file's own spacing", file)
        section = values.reshape(shape)
    else:
        section = _resampled(values, shape, spacing, own_spacing, file)
    bad = np.argwhere(~(np.isfinite(section) & (section > 0)))
    if len(bad):
        row, column = bad[0]
        raise ConfigError(f"row {row + 1}, column {column + 1}", section[row, column], "must be a positive number, m/s", file)
    return section


def _resampled(values: Floats, shape: tuple[int, int], spacing: tuple[float, float], own: float, file: Path) -> Floats:
    if values.ndim != 2:
        raise ConfigError("shape", values.shape, "expected rows and columns", file)
    axes = [own * np.arange(n) for n in values.shape]
    wanted = [step * np.arange(n) for step, n in zip(spacing, shape, strict=True)]
    for axis, have, want in zip(("depth", "x"), axes, wanted, strict=True):
        if want[-1] > have[-1] * (1 + 1e-9):
            raise ConfigError("grid.shape", shape, f"{axis} goes to {want[-1]:g} m, the file to {have[-1]:g} m", file)
    points = np.stack(np.meshgrid(*wanted, indexing="ij"), axis=-1)
    section: Floats = RegularGridInterpolator(axes, values)(np.minimum(points, [axis[-1] for axis in axes]))
    return section


def read_segy(file: Path) -> Recording:
    """Traces of a SEG-Y file with the geometry of their headers; a shot is a field record."""
    segyio = _segyio()
    try:
        with segyio.open(str(file), ignore_geometry=True) as segy:
            traces = segy.trace.raw[:].astype(float)
            dt = segyio.tools.dt(segy) * 1e-6
            fields = segyio.TraceField
            header = {field: segy.attributes(field)[:] for field in (fields.FieldRecord, fields.SourceGroupScalar)}
            x_scale = _scale(header[fields.SourceGroupScalar])
            z_scale = _scale(segy.attributes(fields.ElevationScalar)[:])
            source = np.stack(
                [segy.attributes(fields.SourceDepth)[:] * z_scale, segy.attributes(fields.SourceX)[:] * x_scale], 1
            )
            # An elevation is upwards: a receiver on the sea floor has a negative one.
            depth = -segy.attributes(fields.ReceiverGroupElevation)[:] * z_scale
            receiver = np.stack([depth, segy.attributes(fields.GroupX)[:] * x_scale], axis=1)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError("", file, f"is not a SEG-Y file: {error}") from error
    record = header[fields.FieldRecord]
    starts = np.flatnonzero(np.diff(record, prepend=record[0] - 1))
    if len(np.unique(record)) != len(starts):
        raise ConfigError("FieldRecord", int(record[0]), "traces of one shot must follow each other", file)
    survey = Survey(source[starts], np.split(receiver, starts[1:]))
    return Recording(traces, dt, survey)


def _scale(scalar: NDArray[np.int_]) -> Floats:
    """Factor of SEG-Y coordinates: a positive scalar multiplies, a negative one divides, 0 is 1."""
    size = np.maximum(np.abs(scalar), 1).astype(float)
    return np.where(scalar < 0, 1 / size, size)


def _segyio() -> Any:
    try:
        import segyio
    except ImportError as error:
        raise ConfigError(
            "segyio", "is not installed", "SEG-Y files need it: pip install 'vip-inversion[seismology]'"
        ) from error
    return segyio
