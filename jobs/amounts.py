"""Amounts of memory and time as users write them, and texts that can stand in a script."""

from __future__ import annotations

import math
import re
import unicodedata

from vip.errors import ConfigError

MEMORY_UNITS = {"": 1, "B": 1}
MEMORY_UNITS |= {f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", start=1)}
MEMORY_UNITS |= {f"{prefix}{end}": 1024**power for power, prefix in enumerate("KMGT", start=1) for end in ("", "IB")}
"""Number of bytes in each unit, in upper case. A bare letter is binary, as in SLURM and Grid Engine."""

TIME_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_memory(text: str | int, key: str = "memory") -> int:
    """An amount of memory (bytes).

    Raises
    ------
    ConfigError
        If the text is not an amount, or the amount is zero.

    Examples
    --------
    >>> parse_memory("8GB"), parse_memory("1.5GiB"), parse_memory("8G") == parse_memory("8GiB")
    (8000000000, 1610612736, True)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", str(text).strip(), re.ASCII)
    unit = MEMORY_UNITS.get(match[2].upper()) if match else None
    amount = round(float(match[1]) * unit) if match and unit else 0
    if amount < 1:
        raise ConfigError(key, text, 'must be an amount of memory, such as "8GB" or "512MiB"')
    return amount


def parse_walltime(text: str | int, key: str = "walltime") -> int:
    """A duration (s) from hours:minutes:seconds, perhaps with days- before it, a number with s, m, h or d, or plain seconds.

    Raises
    ------
    ConfigError
        If the text is not a duration, or the duration is zero. SLURM's minutes:seconds are refused, since others read them as
        hours:minutes.

    Examples
    --------
    >>> parse_walltime("12:00:00"), parse_walltime("2-12:00:00"), parse_walltime("90m"), parse_walltime(60)
    (43200, 216000, 5400, 60)
    """
    written = str(text).strip()
    seconds = 0
    if match := re.fullmatch(r"(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)", written, re.ASCII):
        days, *clock = (int(part or 0) for part in match.groups())
        seconds = days * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    elif match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", written, re.ASCII):
        seconds = math.ceil(float(match[1]) * TIME_UNITS[match[2] or "s"])
    if seconds < 1:
        raise ConfigError(key, text, 'must be a duration, such as "12:00:00", "2-12:00:00" or "90m"')
    return seconds


def one_line(text: str, key: str, allowed: str = "") -> str:
    """The text, if it can stand in one line of a script.

    Raises
    ------
    ConfigError
        If the text holds a line break, or a control character that is not allowed.
    """
    if any(unicodedata.category(sign) == "Cc" and sign not in allowed for sign in text):
        raise ConfigError(key, repr(text), "must be one line, without control characters")
    return text


def one_word(text: str, key: str) -> str:
    """The text, if it can stand in one line and is not blank.

    Raises
    ------
    ConfigError
        If the text is blank, or cannot stand in one line.
    """
    if not text.strip():
        raise ConfigError(key, repr(text), "must not be blank; leave it out")
    return one_line(text, key)
