"""The ``[forward]`` table of a travel-time tomography."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vip.errors import ConfigError
from vip.settings import Finite, Settings


class GridSettings(Settings):
    """Velocity nodes, row by row from the first corner.

    `unit` says what coordinates are: "degrees" (first latitude, then longitude) or "km" (first y, then x). A negative
    spacing goes southwards or westwards.

    Attributes
    ----------
    shape : (rows, columns)
        Number of nodes.
    origin : (row, column)
        Coordinates of the first node.
    spacing : (row, column)
        Distance between nodes.
    refinement : int
        Factor by which the grid of times is finer; velocity between nodes is bilinear.
    """

    unit: Literal["degrees", "km"]
    shape: tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]]
    origin: tuple[Finite, Finite]
    spacing: tuple[Finite, Finite]
    refinement: Annotated[int, Field(ge=1, le=64)] = 2

    def model_post_init(self, _context: object) -> None:
        """Check keys that depend on each other."""
        if 0 in self.spacing:
            raise ConfigError("spacing", self.spacing, "must not be zero")
        if self.unit == "degrees":
            last = self.origin[0] + (self.shape[0] - 1) * self.spacing[0]
            if max(abs(self.origin[0]), abs(last)) >= 90:
                raise ConfigError(
                    "origin", self.origin, f"latitudes run from {self.origin[0]} to {last}: must stay off the poles"
                )


class PeriodSettings(Settings):
    """One data set; several of them are inverted independently, in one run.

    Attributes
    ----------
    label : str
        Name of the data set in results.
    times : path
        Table of the times of the data set.
    """

    label: str
    times: Path


class TomoSettings(Settings):
    """Settings of `Tomo2D`.

    Data are either a table `times` with the columns source, receiver, time and sigma (names of stations; s) and a table
    `stations` with the columns name, latitude, longitude (or name, y, x), both CSV with a header; or plain text as of the
    VIP package: `sources` and `receivers` with two columns, and `times` with time and sigma in source-major order, 0 for
    no measurement.

    Attributes
    ----------
    periods : tuple of tables
        Data sets, one for each period, in place of `times`.
    unknown_noise : bool
        Whether a factor on all standard deviations is inferred too; then add ``[prior.log_noise]``.
    precision : str
        Precision of the travel times.
    true_model : path
        True model of synthetic data, shown beside the result.
    network : path
        Trained network for `vip predict` and for ``start = "network"``, in place of the one of the package.
    """

    grid: GridSettings
    stations: Path | None = None
    sources: Path | None = None
    receivers: Path | None = None
    times: Path | None = None
    periods: tuple[PeriodSettings, ...] = ()
    unknown_noise: bool = False
    precision: Literal["float32", "float64"] = "float32"
    true_model: Path | None = None
    network: Path | None = None

    def model_post_init(self, _context: object) -> None:
        """Check that the data are given in one way."""
        if (self.stations is None) == (self.sources is None and self.receivers is None):
            raise ConfigError("stations", self.stations, "give either stations (CSV) or sources and receivers (plain text)")
        if self.stations is None and (self.sources is None or self.receivers is None):
            raise ConfigError("sources", self.sources, "give both sources and receivers")
        if (self.times is None) == (not self.periods):
            raise ConfigError("times", self.times, "give either times or periods")
        labels = [period.label for period in self.periods]
        if len(set(labels)) != len(labels):
            raise ConfigError("periods", labels, "labels must differ")
