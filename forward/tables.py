"""Tables of text from files, checked row by row: every fault names file, line and column."""

from __future__ import annotations

import csv
import gzip
import io
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.protocols import Floats

GZIP = b"\x1f\x8b"
"""First bytes of a file that gzip has compressed."""
NO_DATA = "# \t"
"""First characters of lines that may hold no data; a line that starts with another does."""


def read_bytes(file: Path) -> bytes:
    """Content of a file, which may be compressed by gzip."""
    try:
        content = file.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError("", file, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read_text(file: Path, expected: str) -> str:
    """Content of a text file in UTF-8, which may be compressed by gzip."""
    try:
        return read_bytes(file).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
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
    table = _read(file, "a CSV table", surplus, skipinitialspace=True, index_col=False)
    check_columns(table, columns, file)
    stripped: pd.DataFrame = table.apply(lambda column: column.str.strip().fillna(""))
    return stripped


def check_columns(table: pd.DataFrame, columns: list[str], file: Path) -> None:
    """Raise an error if a table lacks one of some columns."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        remedy = f"there is no column {missing[0]!r}; expected {','.join(columns)} between commas"
        raise ConfigError("columns", ", ".join(map(str, table.columns)), remedy, file)


def read_columns(file: Path, names: list[str]) -> pd.DataFrame:
    """Columns of numbers between blanks, the rows named by their lines in the file."""
    table = _read(file, "a table of numbers", sep=r"\s+", header=None)
    if table.shape[1] != len(names):
        raise ConfigError("columns", table.shape[1], f"expected {len(names)}", file)
    table.columns = pd.Index(names)
    return pd.DataFrame({name: numbers(table, name, file) for name in names}, index=table.index)


def _read(file: Path, expected: str, surplus: str = "", **options: Any) -> pd.DataFrame:
    """A table as text. Comments and blank lines are left out here, so that rows are still named by their lines."""
    lines = read_text(file, expected).splitlines()
    kept = [
        i for i, line in enumerate(lines) if line[:1] not in NO_DATA or (line.strip() and not line.lstrip().startswith("#"))
    ]
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
        raise ConfigError(f"line {kept[1] + 1}", lines[kept[1]], "has more fields than the header", file) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ConfigError("", file, f"is not {expected}: {str(error).strip()}") from error
    table.index = pd.Index(np.array(kept, dtype=int)[len(kept) - len(table) :] + 1)
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
