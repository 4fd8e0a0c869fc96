"""Parquet: tables of picks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.earthquakes.formats.pick_columns import pick_table

MAGIC = b"PAR1"
"""First bytes of a Parquet file."""
MOST_ROWS = 2**31 - 1
"""Rows that can be read at once."""


def read_pick_parts(content: BinaryIO, file: Path, rows: int, of_events: bool = True) -> Iterator[pd.DataFrame]:
    """Picks as text, with their times in UTC, in parts; columns are known by their names, see `pick_columns`.

    Raises
    ------
    ConfigError
        If pyarrow is not installed, or the file is damaged or lacks a column.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError("", file, "Parquet needs pyarrow: pip install 'vip-inversion[parquet]'; or write CSV") from error
    before = 0
    try:
        whole = parquet.ParquetFile(content)
        for batch in whole.iter_batches(min(rows, MOST_ROWS)) if whole.metadata.num_rows else [whole.read()]:
            text = as_text(batch.to_pandas())
            source = "row " + (before + text.index).astype(str)
            before += len(text)
            yield pick_table(text, source, file, of_events)
    except ConfigError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise ConfigError("", file, f"is not Parquet: {error}") from error


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text, empty where there is no value, its rows numbered from 0."""
    text: pd.DataFrame = table.reset_index(drop=True).apply(_as_text)
    return text


def _as_text(column: pd.Series) -> pd.Series:
    """Text of each value, empty where there is none."""
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.astype(str).where(column.notna(), "")
    zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
    utc = (column.dt.tz_convert(None) if zoned else column).to_numpy("datetime64[us]")
    text = pd.Series(np.datetime_as_string(utc), index=column.index) + ("Z" if zoned else "")
    return text.where(column.notna(), "")
