"""REAL (Zhang et al. 2019): a folder of picks, with a folder for each day, with a file for each station and phase."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.earthquakes.picks import COLUMNS
from vip.forward.tables import read_text

log = logging.getLogger(__name__)

FILE = re.compile(r"(.+)\.([^.]+)\.txt")
"""Name of a file: NET.STA.P.txt or NET.STA.S.txt."""
DAY = 86400
"""Length of a day, s."""


def read_picks(folder: Path) -> pd.DataFrame:
    """Picks as text, with their times in UTC, from files YYYYMMDD/NET.STA.P.txt; the folder may also be that of one day.

    A line has seconds of the day, which may reach into the days beside it, the picker's probability or ratio (STA/LTA), and an
    amplitude. Where most of the second numbers are larger than 1, they are ratios, which say nothing of a probability. A pick's
    identifier is its file and line.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    files = sorted(file for file in [*folder.glob("*.txt"), *folder.glob("*/*.txt")] if _is_of_a_day(file))
    if not files:
        remedy = (
            "expected REAL's picks in this folder: a folder 20240517 for each day, with files NET.STA.P.txt and NET.STA.S.txt"
        )
        raise ConfigError("picks", folder, remedy)
    table = pd.concat([_picks_of_file(file) for file in files], ignore_index=True)
    score = pd.to_numeric(table["probability"], errors="coerce")
    if score.median() > 1:
        log.warning(
            "%s: the second numbers of most lines are larger than 1: these are no probabilities, and do not count", folder
        )
        table["probability"] = ""
    return table


def _is_of_a_day(file: Path) -> bool:
    return FILE.fullmatch(file.name) is not None and re.fullmatch(r"\d{8}", file.absolute().parent.name) is not None


def _picks_of_file(file: Path) -> pd.DataFrame:
    day, match = file.absolute().parent.name, FILE.fullmatch(file.name)
    station, phase = match.groups() if match else ("", "")
    words = [line.split()[:3] for line in read_text(file, "a file of REAL's picks").splitlines()]
    table = pd.DataFrame([(row + [""] * 3)[:3] for row in words], columns=["time", "probability", "amplitude"], dtype=object)
    table = table[(table["time"] != "") & ~table["time"].str.startswith("#")]
    line = (table.index + 1).astype(str)
    seconds = pd.to_numeric(table["time"], errors="coerce")
    microseconds = np.rint(seconds.where(seconds.between(-DAY, 2 * DAY)) * 1e6)
    utc = pd.to_datetime(day, format="%Y%m%d", errors="coerce") + pd.to_timedelta(microseconds, unit="us")
    place = f"{day}/{file.name}"
    others = {"source": f"{place}, line " + line, "identifier": f"{place}:" + line}
    table = table.assign(event="", station=station, phase=phase, sigma="", weight="", **others)
    return table[COLUMNS].assign(utc=utc.astype("datetime64[us]"), zone="+0000")
