"""The run directory: samples, checkpoints, provenance.

Layout::

    config.toml        the configuration as it was given
    provenance.json    versions, machine, seed, checksums of the inputs
    samples/*.h5       one file for each stretch of iterations, in physical units
    checkpoint.h5      state of the algorithm and the number of iterations done
    metrics.jsonl      one line for each iteration
    extension.json     the iterations of a run that is to do more of them than its configuration says
    run.log
    job.json, job.sh, job.log, workers/    of a run that was submitted to a job scheduler
    tls/               certificates of its workers, while it runs

The checkpoint is the commit marker: it is written after the samples that precede it, to a temporary file that then takes the
old one's place. Samples beyond it do not count and are made again. So a run killed at any moment continues from a state that
was once whole, and a reader never sees half a sample.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from vip.errors import StoreError
from vip.protocols import Floats, Info
from vip.runs.shown import html_table

SCHEMA = 1
"""Version of the layout of run directories. It is written with each checkpoint; a checkpoint without it counts as 1."""

SAMPLE_DTYPE = np.float32
"""Type of samples on disk, with seven digits; the state in a checkpoint is in double precision."""
EQUAL = np.zeros(0)
"""Logarithms of weights where all are equal: an empty array."""


class Checkpoint(NamedTuple):
    """Progress of a run, and the state from which it can go on."""

    iteration: int
    status: str
    """"running", "interrupted" or "finished"."""
    arrays: dict[str, Any]
    """Leaves of the state, by their path."""


class Stretch(NamedTuple):
    """Samples of successive iterations."""

    iterations: np.ndarray[Any, Any]
    """Iterations (m,) of the samples."""
    models: np.ndarray[Any, Any]
    """Models (m, n, d) in physical units."""
    log_weights: Floats
    """Logarithms (m, n) of the models' weights; empty where they are equal."""


class Extension(NamedTuple):
    """A request for more iterations than the configuration says."""

    iterations: int
    """Number of iterations in total."""
    begins: int
    """Number of iterations that were done at the time of the request."""


class Store:
    """A run directory.

    Parameters
    ----------
    path : Path
        The directory, which must exist; `create` makes a new one.
    """

    def __init__(self, path: Path) -> None:
        if not (path / "provenance.json").is_file():
            raise StoreError(f"{path}: not a run directory: it has no provenance.json; name a folder that `vip run` made")
        self.path = path
        self._pending: list[tuple[int, Floats, Floats]] = []

    @classmethod
    def create(cls, path: Path, config_text: str, provenance: Mapping[str, Any], overwrite: bool = False) -> Store:
        """Make a run directory. Its provenance is written last: until then there is no run to resume.

        Raises
        ------
        StoreError
            If there is one already and `overwrite` is false, if its run is going on, or if the folder holds anything else.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)  # what is in it is the user's alone, unless the user opens it to others
        except OSError as error:
            raise StoreError(f"{path}: cannot be a run directory: {error.strerror}; choose another output") from error
        _check_free(path, overwrite)
        with _locked(path):
            _remove_run(path)
            (path / "samples").mkdir()
            _replace(path / "config.toml", config_text.encode())
            _replace(path / "provenance.json", json.dumps(provenance, indent=2).encode())
        return cls(path)

    def __repr__(self) -> str:
        return f"<vip.Store {'; '.join(f'{name}: {value}' for name, value in self.rows())}>"

    def _repr_html_(self) -> str:
        return html_table("vip.Store", self.rows())

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a person to read."""
        checkpoint = self.checkpoint()
        saved = f"{checkpoint.status}, {checkpoint.iteration:,} iterations saved" if checkpoint else "nothing saved yet"
        return [("path", str(self.path)), ("status", saved), ("seed", str(self.provenance["seed"]))]

    def lock(self) -> AbstractContextManager[None]:
        """Reserve the directory for one process; the system lets go when the process ends, however it ends."""
        return _locked(self.path)

    @property
    def is_locked(self) -> bool:
        """Whether a process is doing the run now."""
        file_path = self.path / ".lock"
        if not file_path.is_file():
            return False
        with file_path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    @property
    def provenance(self) -> dict[str, Any]:
        """Origin of the run: versions, machine, seed and checksums of the inputs, see `provenance`."""
        content: dict[str, Any] = json.loads((self.path / "provenance.json").read_text(encoding="utf-8"))
        return content

    def append(self, iteration: int, models: Floats, log_weights: Floats = EQUAL) -> None:
        """Keep models (n, d) of an iteration, with logarithms of weights (n,) if they differ, until the next commit."""
        self._pending.append((iteration, models.astype(SAMPLE_DTYPE), log_weights))

    def commit(self, iteration: int, status: str, state: Any) -> None:
        """Write the samples kept so far, then the checkpoint that makes them count."""
        if self._pending:
            iterations, models, log_weights = zip(*self._pending, strict=True)
            first, last = iterations[0], iterations[-1]
            with _new_h5(self.path / "samples" / f"{first:09d}-{last:09d}.h5") as file:
                file["iteration"], file["models"] = np.array(iterations), np.stack(models)
                if log_weights[0].size:
                    file["log_weights"] = np.stack(log_weights)
            self._pending = []
        with _new_h5(self.path / "checkpoint.h5") as file:
            for key, value in flatten(state).items():
                file[f"state/{key}"] = value
            file.attrs.update(iteration=iteration, status=status, schema=SCHEMA)

    def checkpoint(self) -> Checkpoint | None:
        """The last checkpoint, if there is one."""
        file_path = self.path / "checkpoint.h5"
        if not file_path.is_file():
            return None
        arrays: dict[str, Any] = {}
        with _open_h5(file_path) as file:
            found = int(file.attrs.get("schema", 1))
            if found != SCHEMA:
                remedy = "use the release that made the run, or start a new one"
                raise StoreError(f"{file_path}: has schema {found}, this release reads {SCHEMA}: {remedy}")
            file["state"].visititems(lambda key, item: arrays.update({key: item[()]}) if hasattr(item, "shape") else None)
            iteration, status = int(file.attrs["iteration"]), str(file.attrs["status"])
        extension = self.extension
        if extension is not None and iteration == extension.begins:
            status = "interrupted"  # it had finished, and has more to do since
        return Checkpoint(iteration, status, arrays)

    @property
    def extension(self) -> Extension | None:
        """Iterations that the run is to do beyond its configuration, if any."""
        path = self.path / "extension.json"
        return Extension(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def extend(self, iterations: int) -> None:
        """Let the run, from where it is now, do this number of iterations in total, which is more than it has done."""
        checkpoint = self.checkpoint()
        extension = Extension(iterations, checkpoint.iteration if checkpoint else 0)
        self.write_text("extension.json", json.dumps(extension._asdict()))

    def rewind(self, iteration: int) -> None:
        """Remove what was written after the checkpoint at `iteration`: the process ended before the next checkpoint."""
        for path in self._segments():
            if int(path.stem.split("-")[1]) > iteration:
                path.unlink()
        for leftover in (*self.path.glob("*.part"), *self.path.glob("samples/*.part")):
            leftover.unlink()
        lines = [json.dumps(line) for line in self.metrics() if line["iteration"] <= iteration]
        _replace(self.path / "metrics.jsonl", "".join(line + "\n" for line in lines).encode())

    def samples(self) -> Iterator[Stretch]:
        """Committed samples, a stretch at a time."""
        checkpoint = self.checkpoint()
        done = checkpoint.iteration if checkpoint else 0
        for path in self._segments():
            if int(path.stem.split("-")[1]) <= done:
                with _open_h5(path) as file:
                    log_weights = file["log_weights"][()] if "log_weights" in file else EQUAL
                    yield Stretch(file["iteration"][()], file["models"][()], log_weights)

    def log_metrics(self, iteration: int, info: Info, seconds: float, more: Mapping[str, float] | None = None) -> None:
        """Add a line with the numbers that one iteration reports."""
        numbers = {"log_density": info.log_density, "step": info.step, **info.more}
        line = {"iteration": iteration, **numbers, "seconds": round(seconds, 6), **(more or {})}
        path = self.path / "metrics.jsonl"
        with _explained(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def metrics(self) -> list[dict[str, float]]:
        """One record for each iteration; a last line that was cut off is left out."""
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return []
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def write_text(self, name: str, text: str) -> None:
        """Replace a text file of the run directory, whole or not at all."""
        with _explained(self.path / name):
            _replace(self.path / name, text.encode())

    def save_failed(self, iteration: int, models: Floats) -> Path:
        """Keep the models (n, d) of an iteration whose forward failed, for the user to look at."""
        path = self.path / f"failed_models_{iteration}.npy"
        with _explained(path):
            np.save(path, models)
        return path

    def _segments(self) -> list[Path]:
        return sorted((self.path / "samples").glob("*.h5"))


OWN = (
    *("provenance.json", "config.toml", "samples", "report", "metrics.jsonl", "run.log", "failed_models_*.npy", "*.part"),
    "extension.json",
    *("job.json", "job.sh", "job.log", "workers", "tls"),
)
"""Files and folders that a run makes, besides its checkpoint and lock; nothing else is ever removed."""

LOCK_TRIES = 10


def _check_free(path: Path, overwrite: bool) -> None:
    """Raise `StoreError` for a folder that holds a run which may not be overwritten, or anything else."""
    if (path / "provenance.json").is_file():
        if not overwrite:
            raise StoreError(f"{path}: holds a run; continue it with `vip resume {path}` or replace it with --overwrite")
        return
    own = {entry for pattern in (*OWN, ".lock") for entry in path.glob(pattern)}
    if set(path.iterdir()) - own:
        raise StoreError(f"{path}: is not empty and not a run directory; choose another output")


def _remove_run(path: Path) -> None:
    """Delete what a run makes, its checkpoint first, so that there is never a checkpoint without its samples."""
    (path / "checkpoint.h5").unlink(missing_ok=True)
    for entry in [entry for pattern in OWN for entry in path.glob(pattern)]:
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with (path / ".lock").open("w") as file:
        for left in reversed(range(LOCK_TRIES)):  # `vip status` may be looking at the lock just now
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if left == 0:
                    raise StoreError(f"{path}: another process is running it") from error
                time.sleep(0.02)
        yield


def flatten(state: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested NamedTuples by path.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> class Inner(NamedTuple):
    ...     y: float
    >>> class State(NamedTuple):
    ...     x: float
    ...     inner: Inner
    >>> flatten(State(1.0, Inner(2.0)))
    {'x': 1.0, 'inner/y': 2.0}
    """
    leaves: dict[str, Any] = {}
    for name, value in state._asdict().items():
        path = f"{prefix}{name}"
        if hasattr(value, "_asdict"):
            leaves |= flatten(value, f"{path}/")
        elif isinstance(value, np.ndarray | float | int):
            leaves[path] = value
        else:
            raise TypeError(f"{path}: {type(value).__name__}: a state holds arrays, numbers and NamedTuples only")
    return leaves


def unflatten(template: Any, leaves: Mapping[str, Any], prefix: str = "") -> Any:
    """The state with the shape of `template` and the leaves of `flatten`."""
    values = {}
    for name, value in template._asdict().items():
        path = f"{prefix}{name}"
        if hasattr(value, "_asdict"):
            values[name] = unflatten(value, leaves, f"{path}/")
        elif path not in leaves:
            raise StoreError(f"checkpoint: it has no {path}: made by another version or algorithm; start a new run")
        else:
            values[name] = leaves[path] if isinstance(value, np.ndarray) else type(value)(leaves[path])
    return type(template)(**values)


def provenance(seed: int, inputs: Sequence[Path], made_from: Mapping[str, Any]) -> dict[str, Any]:
    """Versions, machine, seed and checksums of the inputs, with `made_from`, which says what else the run was made from."""
    packages = ["vip-inversion", "numpy", "scipy", "h5py", "xarray", "arviz-stats", "matplotlib"]
    return {
        "schema": SCHEMA,
        "seed": seed,
        **made_from,
        "inputs": {str(path.resolve()): checksum(path) for path in inputs},
        "machine": socket.gethostname(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def _new_h5(path: Path) -> Iterator[Any]:
    """An HDF5 file that appears under its name only when it is complete and on disk."""
    part = path.with_name(path.name + ".part")
    with _explained(path):
        with h5py.File(part, "w") as file:
            yield file
        _sync(part)
        part.replace(path)
        _sync(path.parent)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the error of a file that cannot be written into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error}; free some space and `vip resume` the run") from error


@contextmanager
def _open_h5(path: Path) -> Iterator[Any]:
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error}") from error


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    _sync(part)
    part.replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
