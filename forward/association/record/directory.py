"""The directory of an association: what was asked, what was read and what was found, so that it can go on at any time.

Layout::

    association.json   schema, version, parameters, input files with their checksums, what was learned, number of all windows
    inputs/            copies of the files of stations and velocities
    times/             tables of speeds and of station corrections, if these were learned
    picks/N.npz        pieces of the input, as they were read
    windows/N.npz      finished windows: events, and which picks are theirs

Each file is written to another name first and then takes its own, so that a process that is killed at any moment leaves only
whole files; one that goes on does so after the last whole window.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError, StoreError
from vip.files import whole
from vip.forward.association.record.catalogue import Catalogue
from vip.forward.association.record.door import surveyed, threads_or_all
from vip.forward.association.record.gathering import gathered
from vip.forward.association.record.inputs import Site
from vip.forward.association.record.parameters import Parameters
from vip.forward.association.record.pieces import Piece
from vip.forward.association.record.store import Basis, LearnedTimes
from vip.forward.association.record.stream import Stream
from vip.forward.association.record.windows import Window
from vip.forward.association.window.associate import Association
from vip.forward.association.window.fit import Events
from vip.forward.association.window.learning import Learned
from vip.forward.earthquakes.formats.csv import write_table
from vip.forward.earthquakes.picks import Fault
from vip.forward.earthquakes.reading import velocity_files

SCHEMA = 2
"""Version of the layout."""
DISTRIBUTION = "vip-inversion"
"""Name of the package, whose version may change what is found."""
STATE, INPUTS, TIMES, PICKS, WINDOWS, LOCK = "association.json", "inputs", "times", "picks", "windows", ".lock"
REPORT = "report"
"""Folder that `vip report` makes there; it goes with what it shows."""
REMEDY = "use --overwrite to begin anew, or another --output"
KEYS = {"schema", "version", "parameters", "files", "live", "learned", "windows"}
"""Entries of the state."""
COLUMNS = ("identifier", "station", "phase", "left")
"""Columns of the rows of a piece that are text."""
ARRAYS = ("row", "station", "phase", "time", "sigma", "probability")
"""Arrays of a piece."""
Checksums = dict[str, list[dict[str, str]]]
"""Path and checksum of each of the files of stations, velocities and picks."""
T = TypeVar("T")


class Files(NamedTuple):
    """Input files of an association."""

    picks: Path
    stations: Path
    velocity: Path


class Record:
    """A directory that keeps what was asked, the pieces of the input and the finished windows.

    It is a `vip.forward.association.record.store.Store`.

    Parameters
    ----------
    directory : Path
        One that `create` made.

    Attributes
    ----------
    asked : Parameters
    live : bool
        Whether picks come while windows are finished.
    times : LearnedTimes, optional
        Speeds and station corrections, if they were learned.
    basis : Basis, optional
        What was taken from the picks as a whole, if that was done.
    finished : bool
        Whether all windows were found.

    Raises
    ------
    StoreError
        If there is none, or it is damaged or of another version.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        state = _read(directory / STATE, _json, "not an association: name a folder that `vip associate` made")
        if state.get("schema") != SCHEMA:
            raise StoreError(f"{directory}: has layout {state.get('schema')}, this version reads {SCHEMA}; {REMEDY}")
        self._state = state
        self.asked = Parameters(**state["parameters"])
        self.live, windows = bool(state["live"]), state["windows"]
        self.finished = windows is not None and windows == len(_numbered(directory / WINDOWS))
        self.times = self._times(state["times"]) if state.get("times") else None
        self.basis = _basis(state["learned"]) if state["learned"] else None
        self._pieces = len(_numbered(directory / PICKS))

    @classmethod
    def create(cls, directory: Path, files: Files, asked: Parameters, sums: Checksums, live: bool = False) -> Record:
        """A record in a directory, of which nothing has been read; what an earlier association left there is removed.

        Raises
        ------
        StoreError
            If the folder holds anything else.
        """
        others = {path.name for path in directory.iterdir()} - {STATE, INPUTS, TIMES, PICKS, WINDOWS, REPORT, LOCK}
        others = {name for name in others if not name.endswith(".part")}
        if others:
            raise StoreError(f"{directory}: holds other files ({min(others)}); choose another --output")
        (directory / STATE).unlink(missing_ok=True)  # from here on there is no association to go on with
        shutil.rmtree(directory / REPORT, ignore_errors=True)
        for name in (INPUTS, TIMES, PICKS, WINDOWS):
            shutil.rmtree(directory / name, ignore_errors=True)
            (directory / name).mkdir()
        for name, parts in (("stations", [files.stations]), ("velocity", velocity_files(files.velocity))):
            (directory / INPUTS / name).mkdir()
            for file in parts:
                shutil.copyfile(file, directory / INPUTS / name / file.name)
        state = {
            "schema": SCHEMA,
            "version": version(DISTRIBUTION),
            "parameters": asked._asdict(),
            "files": sums,
            "live": live,
            "times": None,
            "learned": None,
            "windows": None,
        }
        _write_json(directory / STATE, state)
        return cls(directory)

    def check(self, asked: Parameters, sums: Checksums, live: bool) -> None:
        """Raise a StoreError if something else is asked now, or an input file has changed."""
        now = json.loads(json.dumps(asked._asdict()))
        for name, before in self._state["parameters"].items():
            if now[name] != before:
                raise StoreError(f"{self.directory}: {name} was {before}, now it is {now[name]}; {REMEDY}")
        if self._state["version"] != version(DISTRIBUTION) and not self.finished:
            made = self._state["version"]
            raise StoreError(f"{self.directory}: was begun by version {made}, this is {version(DISTRIBUTION)}; {REMEDY}")
        if live != self.live:
            raise StoreError(f"{self.directory}: was {'' if self.live else 'not '}made with --follow; {REMEDY}")
        for name, found in sums.items():
            for mine, its in zip(found, self._state["files"][name], strict=False):
                if mine["sha256"] != its["sha256"]:
                    raise StoreError(f"{self.directory}: {name}: {mine['path']} is not what it was; {REMEDY}")
            if len(found) != len(self._state["files"][name]):
                raise StoreError(f"{self.directory}: {name}: {len(found)} files, there were others; {REMEDY}")

    def inputs(self) -> tuple[Path, Path]:
        """The copies of the files of stations and velocities."""
        first = {name: Path(self._state["files"][name][0]["path"]).name for name in ("stations", "velocity")}
        of_stations, velocity = (self.directory / INPUTS / name / file for name, file in first.items())
        return of_stations, velocity

    def pieces(self, first: int = 0, end: int | None = None) -> Iterator[Piece]:
        """Pieces in their order, from one to before another."""
        for file in _numbered(self.directory / PICKS)[first:end]:
            yield _read(file, _piece, "is missing")

    def windows(self, first: float = -np.inf, last: float = np.inf) -> Iterator[Window]:
        """Finished windows in their order, by the first and last number."""
        for file in _numbered(self.directory / WINDOWS):
            if first <= int(file.stem) <= last:
                yield _read(file, _window, "is missing")

    def add(self, piece: Piece) -> None:
        """Keep a piece."""
        columns = {name: _bytes(piece.rows[name].tolist()) for name in COLUMNS}
        arrays = {f"pick_{name}": getattr(piece, name) for name in ARRAYS}
        utc = piece.rows["utc"].to_numpy("datetime64[us]")
        more = {
            "faults": _bytes([list(fault) for fault in piece.faults]),
            "local": _bytes(piece.local),
            "source": _bytes(piece.source),
        }
        _write_arrays(self.directory / PICKS / f"{self._pieces}.npz", columns | arrays | more | {"utc": utc})
        self._pieces += 1

    def keep(self, times: LearnedTimes) -> None:
        """Keep travel times that were learned."""
        learned = {name: table for name, table in times._asdict().items() if table is not None}
        for name, table in learned.items():
            write_table(table, self.directory / TIMES / f"{name}.csv")
        self._update(times=list(learned))
        self.times = self._times(list(learned))  # as they will be read when the work goes on

    def _times(self, names: list[str]) -> LearnedTimes:
        return LearnedTimes(
            **{name: _read(self.directory / TIMES / f"{name}.csv", pd.read_csv, "is missing") for name in names}
        )

    def begin(self, basis: Basis) -> None:
        """Keep what was taken from the picks as a whole."""
        self.basis = basis
        learned = basis._asdict() | {"reference": str(basis.reference), "learned": basis.learned._asdict()}
        self._update(learned=learned)

    def finish(self, window: Window) -> None:
        """Keep a window."""
        events, found = window.found.events, window.found
        arrays = {"pick": window.pick, "evidence": found.evidence, "event": found.event, "probability": found.probability}
        arrays["too_few"] = found.too_few
        _write_arrays(self.directory / WINDOWS / f"{window.number}.npz", arrays | events._asdict())

    def end(self) -> None:
        """Keep that all windows were found."""
        self.finished = True
        self._update(windows=len(_numbered(self.directory / WINDOWS)))

    def _update(self, **changes: Any) -> None:
        self._state |= changes
        _write_json(self.directory / STATE, self._state)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Make a directory and reserve it for this process; the system lets go when the process ends, however it ends."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / LOCK).open("w")
    except OSError as error:
        raise StoreError(f"{directory}: cannot be made: {error.strerror}; choose another --output") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"{directory}: another process is at work here; wait for its end") from error
        yield


def found_in(directory: Path) -> Record | None:
    """The record that is in a directory, if there is one."""
    return Record(directory) if (directory / STATE).is_file() else None


class Loaded(NamedTuple):
    """An association from its directory."""

    catalogue: Catalogue
    site: Site
    """Stations that count, on the map; the region; and channels, with travel times from any place in it."""


def load(directory: Path) -> Catalogue:
    """The catalogue of what has been found so far, from the directory alone.

    Raises
    ------
    StoreError
        If it is none, is damaged, or nothing has been found yet.
    """
    return load_with_site(directory).catalogue


def load_with_site(directory: Path) -> Loaded:
    """The catalogue as of `load`, and where the stations are."""
    record = Record(directory)
    if record.basis is None:
        raise StoreError(f"{directory}: nothing has been found yet; the command that made it goes on")
    stream = Stream(surveyed(*record.inputs(), record.asked), record.asked, record, threads_or_all(None), record.live)
    return Loaded(gathered(stream).catalogue(), stream.finder.site)


def checksums(files: Files, directory: Path, live: bool) -> Checksums:
    """Path relative to the directory, and checksum, of each input file; of a folder that is followed, of none of its files.

    Raises
    ------
    ConfigError
        If a file cannot be read.
    """
    parts = {"stations": [files.stations], "velocity": velocity_files(files.velocity)}
    if not live:
        parts["picks"] = sorted(path for path in files.picks.rglob("*") if path.is_file()) or [files.picks]
    return {
        name: [{"path": os.path.relpath(file.resolve(), directory.resolve()), "sha256": _sha256(file)} for file in paths]
        for name, paths in parts.items()
    }


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError("", file, f"cannot be read: {error.strerror}") from error


def _numbered(folder: Path) -> list[Path]:
    """Files N.npz by their numbers."""
    return sorted(folder.glob("*.npz"), key=lambda file: int(file.stem))


def _write_arrays(file: Path, arrays: dict[str, Any]) -> None:
    with whole(file) as part, part.open("wb") as content:
        np.savez_compressed(content, allow_pickle=False, **arrays)


def _write_json(file: Path, value: Any) -> None:
    with whole(file) as part:
        part.write_text(json.dumps(value, indent=2), encoding="utf-8")


def _read(file: Path, how: Callable[[Path], T], missing: str) -> T:
    """What is read from a file of the state.

    Raises
    ------
    StoreError
        If it is missing or damaged.
    """
    try:
        return how(file)
    except FileNotFoundError as error:
        raise StoreError(f"{file}: {missing}") from error
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        remedy = "delete it and the later ones beside it, and the same command finds them again"
        raise StoreError(f"{file}: is damaged: {remedy if file.parent.name == WINDOWS else REMEDY}") from error


def _json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if content.get("schema") == SCHEMA and not content.keys() >= KEYS:
        raise KeyError(min(KEYS - content.keys()))
    return content


def _basis(state: Mapping[str, Any]) -> Basis:
    return Basis(
        reference=np.datetime64(state["reference"], "us"),
        pairs=[(station, phase) for station, phase in state["pairs"]],
        probability=state["probability"],
        density=state["density"],
        rate=state["rate"],
        learned=Learned(**state["learned"]),
    )


def _piece(file: Path) -> Piece:
    with np.load(file) as arrays:
        rows = pd.DataFrame({name: pd.Series(_value(arrays[name]), dtype=object) for name in COLUMNS})
        rows.insert(3, "utc", arrays["utc"])
        faults = [Fault(*fault) for fault in _value(arrays["faults"])]
        local, source = _value(arrays["local"]), _value(arrays["source"])
        return Piece(rows=rows, faults=faults, local=local, source=source, **{name: arrays[f"pick_{name}"] for name in ARRAYS})


def _window(file: Path) -> Window:
    with np.load(file) as arrays:
        events = Events(*(arrays[name] for name in Events._fields))
        found = Association(events, *(arrays[name] for name in Association._fields[1:]))
        return Window(int(file.stem), arrays["pick"], found)


def _bytes(value: Any) -> NDArray[np.uint8]:
    """A value as JSON, in an array."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _value(array: NDArray[np.uint8]) -> Any:
    return json.loads(array.tobytes())
