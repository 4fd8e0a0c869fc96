"""The ``[forward]`` table of a full-waveform inversion. Lengths are in m, times in s, velocities in m/s."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vip.errors import ConfigError
from vip.settings import Finite, Positive, Settings

Nodes = Annotated[int, Field(ge=2)]


class GridSettings(Settings):
    """Velocity nodes, row by row downwards; the first is at depth 0, x = 0. Absorbing layers are added around them.

    Attributes
    ----------
    shape : (rows, columns)
        Number of nodes.
    spacing : float or (row, column)
        Distance between nodes, m.
    order : int
        Order of accuracy in space.
    layer : int
        Width of the absorbing layers, nodes.
    free_surface : bool
        Whether the first row is a free surface, which reflects.
    """

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
    """Samples of data and wavelets. The waves take `substeps` steps for each sample; "auto" means as many as stability needs.

    Attributes
    ----------
    dt : float
        Time between samples of data and wavelet, s.
    samples : int
        Number of samples of a trace.
    substeps : int or "auto"
        Number of time steps from sample to sample.
    """

    dt: Positive
    samples: Annotated[int, Field(ge=2)]
    substeps: Annotated[int, Field(ge=1)] | Literal["auto"] = 1


class WaveletSettings(Settings):
    """A Ricker wavelet of a peak `frequency` (Hz) whose peak is at `delay` (1 / frequency by default), or samples in a file."""

    frequency: Positive | None = None
    delay: Positive | None = None
    file: Path | None = None

    def model_post_init(self, _context: object) -> None:
        """Check that one of the two ways is given, and not both."""
        if (self.frequency is None) == (self.file is None):
            raise ConfigError("frequency", self.frequency, "give either frequency (Ricker) or file")


class LineSettings(Settings):
    """Points at one depth, evenly spaced.

    Attributes
    ----------
    depth : float
        Depth of all points, m.
    first, step : float
        Distance of the first point along the section, and distance between points, m.
    number : int
        Number of points.
    """

    depth: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    first: Finite
    step: Finite
    number: Annotated[int, Field(ge=1)]


class KnownSettings(Settings):
    """Known velocities: water down to a depth, or the values of a model where a mask is 1.

    Attributes
    ----------
    depth, velocity : float
        Nodes above this depth (m) have this velocity (m/s).
    mask, model : path
        Where the mask is 1, nodes have the velocity of the model.
    """

    depth: Positive | None = None
    velocity: Positive | None = None
    mask: Path | None = None
    model: Path | None = None

    def model_post_init(self, _context: object) -> None:
        """Check that one of the two ways is given, and not both."""
        given = self.model_dump(exclude_none=True)
        if set(given) not in ({"depth", "velocity"}, {"mask", "model"}):
            raise ConfigError("known", given, "give depth and velocity, or mask and model")


class SyntheticSettings(Settings):
    """Make the data from a true model, with noise. A file with a `spacing` of its own is resampled.

    Attributes
    ----------
    model : path
        File of velocities, m/s.
    spacing : float
        Distance between nodes of the file, m; that of the grid by default.
    seed : int
        Seed of the noise.
    """

    model: Path
    spacing: Positive | None = None
    seed: Annotated[int, Field(ge=0)] = 1


class FWISettings(Settings):
    """Settings of `FWI2D`.

    Data are `data` (.npy, .h5 with a dataset ``data``, or .sgy), as (traces, samples) or (shots, traces, samples), or made from
    a model by `synthetic`. Shots and receivers are a line of points or CSV: depth and x of each shot; depth and x of each
    receiver, for all shots, or with a column shot (1, 2, ...) that says whose it is. A SEG-Y file may bring its own.

    Attributes
    ----------
    velocity_range : (slowest, fastest)
        Range of velocities that any model may have (m/s): stability and dispersion are checked for it.
    sigma : float or path
        Standard deviation of the noise: one for all data, or a file of one for each trace or for each sample.
    relative_sigma : float
        In place of `sigma`, the share of the median of the traces' largest amplitudes.
    likelihood, degrees_of_freedom : str, float
        Errors are Gaussian, or Student's t with these degrees of freedom, which forgives outliers.
    unknown_noise : bool
        Whether a factor on all standard deviations is inferred too; then add ``[prior.log_noise]``.
    dead_traces : str
        Traces that are all zero and samples that are NaN are an error, or left out.
    wells : tuple of float
        Distances along the section (m) where the report draws marginals with depth.
    true_model : path
        True model of synthetic data, shown beside the result.
    dispersion_limit : float
        Largest relative error of phase velocity, at the slowest velocity and the highest frequency.
    precision : str
        Precision of waves and traces.
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
        """Check keys that depend on each other."""
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
