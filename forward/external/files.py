"""Files by which a model goes to the program, and a log-likelihood and its gradient come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.protocols import Floats

Result = tuple[float, Floats]

OUTPUTS = ("log_likelihood", "gradient")


class OutputError(Exception):
    """The program did not write a log-likelihood and its gradient; the message names the file and the reason."""


class Format(NamedTuple):
    """A format in which numbers are exchanged."""

    files: Mapping[str, str]
    """File name by placeholder."""
    write: Callable[[Path, Floats], None]
    """Write a model (d,) to a folder."""
    read: Callable[[Path, int], Result]
    """Read log-likelihood and gradient (d,) from a folder, given d. Raises `OutputError`."""


def _write_npy(folder: Path, model: Floats) -> None:
    # Version 1.0 and little-endian always: a program may do with the simplest of readers.
    with (folder / "model.npy").open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(model, dtype="<f8"), version=(1, 0), allow_pickle=False)


def _read_npy(folder: Path, ndim: int) -> Result:
    value, gradient = (_load_npy(folder / f"{name}.npy") for name in OUTPUTS)
    return _number(value, "log_likelihood.npy"), _vector(gradient, "gradient.npy", ndim)


def _load_npy(file: Path) -> NDArray[np.generic]:
    if not file.is_file():
        raise OutputError(f"did not write {file.name}")
    try:
        with file.open("rb") as stream:
            # Not np.load, which takes what is no .npy for a pickle and says so.
            return np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # a damaged header may raise anything
        raise OutputError(f"{file.name} cannot be read: {error}") from error


def _write_hdf5(folder: Path, model: Floats) -> None:
    import h5py

    with h5py.File(folder / "model.h5", "w") as file:
        file["model"] = np.ascontiguousarray(model, dtype="<f8")


def _read_hdf5(folder: Path, ndim: int) -> Result:
    import h5py

    path = folder / "result.h5"
    if not path.is_file():
        raise OutputError("did not write result.h5")
    try:
        with h5py.File(path, "r") as file:
            found = {name: file[name][()] for name in OUTPUTS if isinstance(file.get(name), h5py.Dataset)}
    except Exception as error:  # so may a damaged file
        raise OutputError(f"result.h5 cannot be read: {error}") from error
    for name in OUTPUTS:
        if name not in found:
            raise OutputError(f"result.h5 has no dataset {name}")
    value, gradient = np.asarray(found["log_likelihood"]), np.asarray(found["gradient"])
    return _number(value, "log_likelihood of result.h5"), _vector(gradient, "gradient of result.h5", ndim)


def _number(found: NDArray[np.generic], name: str) -> float:
    values = _real(found, name)
    if values.size != 1:
        raise OutputError(f"{name} has shape {values.shape}, expected one number")
    value = values.item()
    if not np.isfinite(value):
        raise OutputError(f"{name} is {value}")
    return value


def _vector(found: NDArray[np.generic], name: str, ndim: int) -> Floats:
    values = _real(found, name)
    if values.shape != (ndim,):  # not reshaped: a map of this size may be in another order
        raise OutputError(f"{name} has shape {values.shape}, expected {(ndim,)}")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        first = f"[{bad[0]}] = {values[bad[0]]}"
        raise OutputError(f"{name} has {len(bad)} of {ndim} entries that are not finite, the first is {first}")
    return values


def _real(found: NDArray[np.generic], name: str) -> Floats:
    if found.dtype.kind not in "iuf":
        raise OutputError(f"{name} has dtype {found.dtype}, expected real numbers")
    return found.astype(np.float64)


FORMATS = {
    "npy": Format(
        {"model": "model.npy", "log_likelihood": "log_likelihood.npy", "gradient": "gradient.npy"}, _write_npy, _read_npy
    ),
    "hdf5": Format({"model": "model.h5", "result": "result.h5"}, _write_hdf5, _read_hdf5),
}
