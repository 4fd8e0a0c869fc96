"""Tables of text from files, checked row by row: every fault names file, line and column."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.protocols import Floats

GZIP = b"\x1f\x8b"
"""First bytes of a file that gzip has compressed."""
CSV_TABLE = "a CSV table"
NO_DATA = "# \t"
"""First characters of lines that may hold no data; a line that starts with another does."""


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """A file to read from, which may be compressed by gzip; an error of reading names it."""
    try:
        with file.open("rb") as raw:
            compressed = raw.peek(2).startswith(GZIP)
            with gzip.open(raw) if compressed else raw as content:
                yield cast(BinaryIO, content)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError("", file, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read_bytes(file: Path) -> bytes:
    """Content of a file, which may be compressed by gzip."""
    with opened(file) as content:
        return content.read()


def read_text(file: Path, expected: str) -> str:
    """Content of a text file in UTF-8, which may be compressed by gzip."""
    return as_text(read_bytes(file), file, expected)


def as_text(content: bytes, file: Path, expected: str) -> str:
    """Content of a file as text."""
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError("", file, f"is not {expected}: {error}") from error


def read_table(file: Path, columns: list[str], surplus: str = "") -> pd.DataFrame:
    """A table between commas, or tabs if its header has no comma, as text; its rows are named by their lines in the file.

    Parameters
    ----------
    file : path
    columns : list of str
        Columns that are needed.
    surplus : str
        Column for the first field beyond the header, empty in most rows; without it, such a row is an error.

    Raises
    ------
    ConfigError
        If the file is not such a table, or lacks a column.
    """
    table = _between_commas(read_text(file, CSV_TABLE).splitlines(), 0, file, surplus)
    check_columns(table, columns, file)
    return table


def read_table_parts(file: Path, content: BinaryIO, rows: int, surplus: str = "") -> Iterator[pd.DataFrame]:
    """Parts of a table as `read_table` reads it, of at most so many lines each, from an open file.

    Parameters
    ----------
    file : path
        What errors name.
    content : binary file
    rows : int
    surplus : str
        As for `read_table`.

    Raises
    ------
    ConfigError
        If the file is not such a table.
    """
    header, first = "", 0
    text = io.TextIOWrapper(content, "utf-8-sig")
    try:
        while lines := [line.rstrip("\n") for line in itertools.islice(text, rows)]:
            table = _between_commas([header, *lines] if header else lines, first - bool(header), file, surplus)
            header = header or next((line for line in lines if _has_data(line)), "")
            first += len(lines)
            yield table
    except UnicodeDecodeError as error:
        raise ConfigError("", file, f"is not {CSV_TABLE}: {error}") from error
    finally:
        text.detach()


def _between_commas(lines: list[str], first: int, file: Path, surplus: str) -> pd.DataFrame:
    table = _table(lines, first, file, CSV_TABLE, surplus, skipinitialspace=True, index_col=False)
    stripped: pd.DataFrame = table.apply(lambda column: column.str.strip().fillna(""))
    return stripped


def _has_data(line: str) -> bool:
    return line[:1] not in NO_DATA or bool(line.strip() and not line.lstrip().startswith("#"))


def check_columns(table: pd.DataFrame, columns: list[str], file: Path) -> None:
    """Raise an error if a table lacks one of some columns."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        remedy = f"there is no column {missing[0]!r}; expected {','.join(columns)} between commas"
        raise ConfigError("columns", ", ".join(map(str, table.columns)), remedy, file)


def read_columns(file: Path, names: list[str]) -> pd.DataFrame:
    """Columns of numbers between blanks, the rows named by their lines in the file."""
    expected = "a table of numbers"
    table = _table(read_text(file, expected).splitlines(), 0, file, expected, sep=r"\s+", header=None)
    if table.shape[1] != len(names):
        raise ConfigError("columns", table.shape[1], f"expected {len(names)}", file)
    table.columns = pd.Index(names)
    return pd.DataFrame({name: numbers(table, name, file) for name in names}, index=table.index)


def _table(lines: list[str], first: int, file: Path, expected: str, surplus: str = "", **options: Any) -> pd.DataFrame:
    """A table as text, after the first so many lines. Comments and blank lines are left out here: rows are named by lines."""
    kept = [i for i, line in enumerate(lines) if _has_data(line)]
    header = lines[kept[0]] if kept else ""
    options.setdefault("sep", "\t" if "\t" in header and "," not in header else ",")
    if surplus and kept:
        lines[kept[0]] = header.split("#")[0] + options["sep"] + surplus
        names = next(csv.reader([lines[kept[0]]], delimiter=options["sep"]))
        options["usecols"] = range(len(names))  # with which pandas takes rows that are longer still
    text = io.StringIO("\n".join(lines[i] for i in kept))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table: pd.DataFrame = pd.read_csv(text, dtype=str, keep_default_na=False, comment="#", **options)
    except pd.errors.ParserWarning as error:  # pandas checks later rows against the first
        raise ConfigError(f"line {first + kept[1] + 1}", lines[kept[1]], "has more fields than the header", file) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ConfigError("", file, f"is not {expected}: {str(error).strip()}") from error
    table.index = pd.Index(np.array(kept, dtype=int)[len(kept) - len(table) :] + first + 1)
    return table


def numbers(table: pd.DataFrame, column: str, file: Path) -> Floats:
    """A column of finite numbers."""
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        found = table[column].iloc[bad[0]] or "nothing"
        raise ConfigError(place(table.index[bad[0]], column), found, "must be a finite number", file)
    return values


def positive_numbers(table: pd.DataFrame, column: str, file: Path) -> Floats:
    """A column of positive numbers, s."""
    values = numbers(table, column, file)
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        raise ConfigError(place(table.index[bad[0]], column), float(values[bad[0]]), "must be positive (s)", file)
    return values


def place(line: int, column: str) -> str:
    """Place of a fault, as text for a person to read."""
    return f"line {line}, column {column}"
