"""The ``[forward]`` table of a full-waveform inversion. Lengths are in m, times in s, velocities in m/s."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from forward.settings import Finite, Positive, Settings
from vip.errors import ConfigError

Nodes = Annotated[int, Field(ge=2)]


class GridSettings(Settings):
    """Velocity nodes, row by row downwards; the first is at depth 0, x = 0. Absorbing layers are added around them."""

    shape: tuple[Nodes, Nodes]
    spacing: Positive | tuple[Positive, Positive]
    order: Literal[2, 4, 6, 8] = 8
    layer: Annotated[int, Field(ge=4)] = 10
    free_surface: bool = False

    @property
    def steps(self) -> tuple[float, float]:
        """Spacing of rows and columns."""
        return self.spacing if isinstance(self.spacing, tuple) else (self.spacing, self.spacing)


class TimeSettings(Settings):
    """Samples of data and wavelets. The waves take `substeps` steps for each; "auto" means as many as stability needs."""

    dt: Positive
    samples: Annotated[int, Field(ge=2)]
    substeps: Annotated[int, Field(ge=1)] | Literal["auto"] = 1


class WaveletSettings(Settings):
    """A Ricker wavelet of a peak `frequency` (Hz) whose peak is at `delay` (1 / frequency by default), or samples in a file."""

    frequency: Positive | None = None
    delay: Positive | None = None
    file: Path | None = None

    def model_post_init(self, _context: object) -> None:
        """Check that there is one of both."""
        if (self.frequency is None) == (self.file is None):
            raise ConfigError("frequency", self.frequency, "give either frequency (Ricker) or file")


class LineSettings(Settings):
    """Points at one depth, evenly spaced."""

    depth: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    first: Finite
    step: Finite
    number: Annotated[int, Field(ge=1)]


class KnownSettings(Settings):
    """Velocity that is known: water down to a depth, or where a mask (1: known) says so, the values of a model."""

    depth: Positive | None = None
    velocity: Positive | None = None
    mask: Path | None = None
    model: Path | None = None

    def model_post_init(self, _context: object) -> None:
        """Check that there is one of both."""
        given = self.model_dump(exclude_none=True)
        if set(given) not in ({"depth", "velocity"}, {"mask", "model"}):
            raise ConfigError("known", given, "give depth and velocity, or mask and model")


class SyntheticSettings(Settings):
    """Make the data from a true model, with noise. `spacing` is that of the file, if not the grid's: it is resampled."""

    model: Path
    spacing: Positive | None = None
    seed: Annotated[int, Field(ge=0)] = 1


class FWISettings(Settings):
    """Settings of `FWI2D`.

    Data are `data` (.npy, .h5 with a dataset ``data``, or .sgy), as (traces, samples) or (shots, traces, samples), or made from
    a model by `synthetic`. Shots and receivers are a line of points or CSV: depth and x of each shot; depth and x of each
    receiver, for all shots, or with a column shot (1, 2, ...) that says whose it is. A SEG-Y file may bring its own.
    """

    grid: GridSettings
    time: TimeSettings
    wavelet: WaveletSettings
    velocity_range: tuple[Positive, Positive]
    shots: LineSettings | Path | None = None
    receivers: LineSettings | Path | None = None
    data: Path | None = None
    synthetic: SyntheticSettings | None = None
    sigma: Positive | Path | None = None
    relative_sigma: Positive | None = None
    likelihood: Literal["gaussian", "student-t"] = "gaussian"
    degrees_of_freedom: Positive = 4.0
    unknown_noise: bool = False
    dead_traces: Literal["error", "mask"] = "error"
    known: KnownSettings | None = None
    wells: tuple[Finite, ...] = ()
    true_model: Path | None = None
    dispersion_limit: Positive = 0.02
    precision: Literal["float32", "float64"] = "float32"

    def model_post_init(self, _context: object) -> None:
        """Check what concerns several keys."""
        if (self.data is None) == (self.synthetic is None):
            raise ConfigError("data", self.data, "give either data or synthetic")
        if (self.sigma is None) == (self.relative_sigma is None):
            raise ConfigError("sigma", self.sigma, "give either sigma or relative_sigma")
        if self.velocity_range[0] >= self.velocity_range[1]:
            raise ConfigError("velocity_range", self.velocity_range, "expected the slowest, then the fastest")
        if (self.shots is None) != (self.receivers is None):
            raise ConfigError("shots", self.shots, "give both shots and receivers, or neither with SEG-Y data")
        has_headers = self.data is not None and self.data.suffix.lower() in (".sgy", ".segy")
        if self.shots is None and not has_headers:
            raise ConfigError("shots", self.shots, "only SEG-Y data bring their own shots and receivers")
