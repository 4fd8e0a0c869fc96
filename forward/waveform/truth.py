"""The true event of a synthetic test."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.tables import numbers, read_table
from vip.forward.waveform.elementary import TENSOR
from vip.forward.waveform.tensors import magnitude
from vip.protocols import Floats, ModelSpace

COLUMNS = ["x", "y", "depth", "origin_time", *(f"m{name}" for name in TENSOR)]
KNOWN_ZERO = ("station_time", "station_amplitude", "log_noise")
"""Unknowns that are zero in synthetic data."""


class Truth(NamedTuple):
    """Place (3,), m, origin time, s after the reference time, and moment tensor (6,), N m, of an event."""

    place: Floats
    origin_time: float
    tensor: Floats

    def model(self, space: ModelSpace) -> Floats | None:
        """The true model (d,); None where the model has unknowns that the truth does not tell."""
        known = {"x": self.place[0], "y": self.place[1], "depth": self.place[2], "origin_time": self.origin_time}
        known |= {"magnitude": float(magnitude(self.tensor))} | dict.fromkeys(KNOWN_ZERO, 0.0)
        if any(variable.name not in known for variable in space.variables):
            return None
        return np.concatenate([np.full(variable.size, known[variable.name]) for variable in space.variables])


def read_truth(file: Path) -> Truth:
    """The event of a table of one row with the columns `COLUMNS`; x, y and depth in m, components in the model's axes.

    Raises
    ------
    ConfigError
        If the table is not so.
    """
    table = read_table(file, COLUMNS)
    if len(table) != 1:
        raise ConfigError("rows", len(table), "expected one, that of the true event", file)
    values = np.array([numbers(table, column, file)[0] for column in COLUMNS])
    return Truth(values[:3], float(values[3]), values[4:])


def write_truth(truth: Truth, file: Path) -> None:
    """Write the event as `read_truth` reads it."""
    row = [*truth.place, truth.origin_time, *truth.tensor]
    pd.DataFrame([row], columns=COLUMNS).to_csv(file, index=False, float_format="%.10g")
