"""Carry an association in its directory to its end, or follow a folder of picks; either may be stopped and gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from vip.forward.association.record.directory import Files, Record, alone, checksums, found_in
from vip.forward.association.record.door import surveyed, threads_or_all
from vip.forward.association.record.parameters import Parameters
from vip.forward.association.record.pieces import pieces_of
from vip.forward.association.record.store import is_read
from vip.forward.association.record.stream import Stream
from vip.forward.association.record.windows import Window
from vip.forward.earthquakes.frames import pick_parts_from
from vip.progress import Waiting

POLL = 1.0
"""Time between two looks into a folder, s."""
SUFFIXES = (".csv", ".parquet")
"""Ends of names of files in a folder that is followed."""
Stop = Callable[[], bool]


@contextmanager
def begun(
    directory: Path, files: Files, asked: Parameters, threads: int | None, overwrite: bool = False, live: bool = False
) -> Iterator[Stream]:
    """The stream that a directory keeps, or a new one, which no other process may carry at the same time.

    Parameters
    ----------
    directory : Path
    files : Files
        Their picks are a folder if it is followed.
    asked : Parameters
    threads : int, optional
    overwrite : bool
        Whether to begin anew.
    live : bool
        Whether a folder is followed.

    Raises
    ------
    ConfigError
        If a parameter or a file is wrong.
    StoreError
        If a parameter or a file is not what it was, or the directory holds something else or is damaged.
    """
    known, sums = surveyed(files.stations, files.velocity, asked), checksums(files, directory, live)
    with alone(directory):
        record = None if overwrite else found_in(directory)
        if record is None or not (is_read(record) or live):  # what had been read of a file may be the half of it
            record = Record.create(directory, files, asked, sums, live)
        record.check(asked, sums, live)
        yield Stream(known, asked, record, threads_or_all(threads), live)


def read(stream: Stream, picks: Path, stop: Stop) -> bool:
    """Whether all picks were read, now or earlier, before a request to stop."""
    if not is_read(stream.store):
        for piece in pieces_of(picks, stream.checker):
            stream.add(piece)
            if stop():
                return False
    return True


def carried(stream: Stream, stop: Stop) -> bool:
    """Whether all windows of the picks were found before a request to stop."""
    stream.begin()
    windows = stream.left()
    waiting = Waiting("association", windows, "windows")
    for done, _ in enumerate(stream.rest(), 1):
        waiting(done, f", {stream.events} events so far")
        if stop():
            return False
    return True


def followed(stream: Stream, folder: Path, stop: Stop, idle: float | None = None) -> Iterator[int]:
    """Number of events so far, at first and each time that windows were found, until a request to stop.

    Parameters
    ----------
    stream : Stream
    folder : Path
        Folder in which files of picks appear; each is there as a whole when its name ends in .csv or .parquet.
    stop : callable
    idle : float, optional
        Time, s, after which no more picks are waited for, and all windows are found that there are picks for.
    """
    heard = time.monotonic()
    changed = _exhausted(stream.complete(), stop) or stream.done > -np.inf
    while not stop():
        for file in new_files(folder, stream.sources):
            for table in islice(pick_parts_from(file, before=stream.rows), 1):
                stream.add(stream.checker.piece(table, file))
            changed, heard = _exhausted(stream.complete(), stop) or changed, time.monotonic()
            if stop():
                return
        if idle is not None and time.monotonic() - heard >= idle:
            changed, heard = _exhausted(stream.rest(), stop) or changed, time.monotonic()
        if changed:
            yield stream.events
        changed = False
        time.sleep(POLL)


def _exhausted(windows: Iterator[Window], stop: Stop) -> bool:
    """Whether there were windows to find, up to a request to stop."""
    found = False
    for _ in windows:
        found = True
        if stop():
            break
    return found


def new_files(folder: Path, known: set[str]) -> list[Path]:
    """Files of picks in a folder that are not known, by their names; those whose names begin with a dot do not count."""
    files = (file for file in folder.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))
    return sorted(file for file in files if file.name not in known)
