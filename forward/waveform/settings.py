"""The ``[forward]`` table of seismograms. Lengths are in m, times in s, speeds in m/s, pressure in Pa, velocity in m/s."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from vip.errors import ConfigError
from vip.forward.waveform.greens.settings import FillSettings
from vip.forward.waveform.tensors import Convention, components
from vip.settings import Finite, Positive, Settings

Interval = tuple[Finite, Finite]


def _ordered(key: str, interval: Interval) -> None:
    if interval[0] >= interval[1]:
        raise ConfigError(key, list(interval), "the second must be larger than the first")


class BoxSettings(Settings):
    """Box in which the event is sought; the prior is uniform in it unless another is given.

    Attributes
    ----------
    x, y, depth : (least, greatest)
        Sides, m: x to the east, y to the north, depth down.
    """

    x: Interval
    y: Interval
    depth: Interval

    def model_post_init(self, _context: object) -> None:
        """Check the order of bounds."""
        for key in ("x", "y", "depth"):
            _ordered(key, getattr(self, key))


class TimeSettings(Settings):
    """Times of the data.

    Attributes
    ----------
    dt : float, optional
        Sampling interval of an array, s; files of seismograms have their own.
    start : float
        Time of an array's first sample after the reference time, s.
    reference : str, optional
        Reference time, ISO 8601 in UTC, of files of seismograms; by default their first sample.
    window : (from, to), optional
        Times after the reference time, s, between which data count; all of them by default.
    band : (low, high), optional
        Frequencies, Hz, to which data and predictions are filtered; from zero for a low-pass filter.
    """

    dt: Positive | None = None
    start: Finite = 0.0
    reference: str | None = None
    window: Interval | None = None
    band: tuple[Annotated[float, Field(ge=0)], Positive] | None = None

    def model_post_init(self, _context: object) -> None:
        """Check the order of bounds."""
        for key in ("window", "band"):
            if getattr(self, key) is not None:
                _ordered(key, getattr(self, key))


class HomogeneousSettings(Settings):
    """Seismograms of a homogeneous full space, in closed form.

    Attributes
    ----------
    vp, vs, density : float
        Speeds of P and S, m/s, and density, kg/m^3.
    width : float
        Standard deviation of the Gaussian moment rate, s.
    precision : "float32" or "float64"
    """

    kind: Literal["homogeneous"]
    vp: Positive
    vs: Positive
    density: Positive
    width: Positive
    precision: Literal["float32", "float64"] = "float32"


class TableSettings(Settings):
    """Seismograms from a table that was computed before.

    Attributes
    ----------
    file : path
        Table that ``vip greens`` made, HDF5.
    fill : table, optional
        What ``vip greens`` fills it from, for the channels, times and box of this configuration.
    """

    kind: Literal["table"]
    file: Path
    fill: FillSettings | None = None


class SourceSettings(Settings):
    """What is unknown of the source.

    Attributes
    ----------
    kind : str
        Moment tensor: "full", "deviatoric", "explosion", "double_couple"; or "known", up to its magnitude.
    integrate : bool
        Whether a linear kind is integrated out, with a Gaussian prior; otherwise it is sampled. An explosion has its magnitude
        sampled then.
    typical_magnitude : float, optional
        Moment magnitude of the prior's typical event: it sets the spread of a linear kind.
    magnitude : float, optional
        Moment magnitude, where it is known: of an explosion or a known mechanism.
    tensor : three rows of three numbers, optional
        Known mechanism; its size does not matter.
    convention : "xyz", "NED" or "USE"
        Axes of `tensor`: east, north, down; north, east, down; or up, south, east.
    duration : float or (least, greatest)
        Standard deviation of a Gaussian by which the source is longer than the pulse of the elementary seismograms, s;
        two numbers make it an unknown.
    """

    kind: Literal["full", "deviatoric", "explosion", "double_couple", "known"] = "full"
    integrate: bool = True
    typical_magnitude: Finite | None = None
    magnitude: Finite | None = None
    tensor: list[list[float]] | None = None
    convention: Convention = "xyz"
    duration: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Interval = 0.0

    @property
    def is_linear(self) -> bool:
        """Whether the tensor is a sum whose factors have a Gaussian prior."""
        return self.kind in ("full", "deviatoric") or (self.kind == "explosion" and self.integrates)

    @property
    def integrates(self) -> bool:
        """Whether the tensor is integrated out."""
        return self.integrate and self.magnitude is None and self.kind in ("full", "deviatoric", "explosion")

    @model_validator(mode="after")
    def _fitting(self) -> SourceSettings:
        if (self.kind == "known") != (self.tensor is not None):
            raise ConfigError("tensor", self.tensor, 'belongs to kind = "known": give both or neither')
        if self.tensor is not None:
            components(self.tensor, self.convention, "tensor")
        if self.magnitude is not None and self.kind not in ("explosion", "known"):
            raise ConfigError("magnitude", self.magnitude, f'is free where kind = "{self.kind}": leave it out')
        if self.is_linear and self.typical_magnitude is None:
            raise ConfigError("typical_magnitude", None, f'kind = "{self.kind}" needs the moment magnitude of a typical event')
        if isinstance(self.duration, tuple):
            _ordered("duration", self.duration)
            if self.duration[0] < 0:
                raise ConfigError("duration", list(self.duration), "must not be negative")
        return self


class NoiseSettings(Settings):
    """Noise of the data, one of three: estimated before the event, or a standard deviation.

    Attributes
    ----------
    window : (from, to), optional
        Times after the reference time, s, at which there is noise alone: each channel's covariance is estimated there.
    coloured : bool
        Whether the noise in the window has an autocovariance; otherwise its standard deviation alone is estimated.
    sigma : float, optional
        Standard deviation of white noise, in the units of the data.
    relative : float, optional
        Standard deviation of white noise over the peak of all channels of its kind.
    """

    window: Interval | None = None
    coloured: bool = True
    sigma: Positive | None = None
    relative: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> NoiseSettings:
        given = [key for key in ("window", "sigma", "relative") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ConfigError("noise", given, "give one of window, sigma and relative")
        if self.window is not None:
            _ordered("window", self.window)
        return self


class StationTermSettings(Settings):
    """Terms of stations beyond the model, with uniform priors unless others are given.

    Attributes
    ----------
    time : float, optional
        Largest time term, s: late arrivals are positive.
    amplitude : float, optional
        Largest natural logarithm of an amplitude factor.
    """

    time: Positive | None = None
    amplitude: Positive | None = None


class WaveformSettings(Settings):
    """Settings of `Waveform`.

    Attributes
    ----------
    data : path or list of paths
        Array (.npy, or .h5 with a dataset "data") of (channels, samples); or files of seismograms (MiniSEED, SAC).
    channels : path
        CSV with station, channel, kind ("pressure" or "velocity"), x, y, depth (m), azimuth and dip (degrees); or StationXML.
    origin : (latitude, longitude), optional
        Degrees, where x and y of StationXML are zero.
    sea_level : float
        Depth of sea level in the model, m, for elevations of StationXML.
    origin_time : float or (earliest, latest)
        Origin time after the reference time, s; two numbers make it an unknown.
    box, time, greens, source, noise, station_terms : table
    likelihood : "gaussian" or "student-t"
    degrees_of_freedom : float
        Degrees of freedom of Student's t distribution.
    unknown_noise : bool
        Whether the logarithm of a factor on each channel's noise is an unknown.
    gradient : bool
        Whether gradients are computed; methods that need none, such as nested sampling, are twice as fast without.
    truth : path, optional
        CSV of one row with x, y, depth, origin_time and mxx, myy, mzz, myz, mxz, mxy of a synthetic event.
    """

    data: Path | list[Path]
    channels: Path
    origin: tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=360)]] | None = None
    sea_level: Finite = 0.0
    origin_time: Finite | Interval
    box: BoxSettings
    time: TimeSettings = TimeSettings()
    greens: Annotated[HomogeneousSettings | TableSettings, Field(discriminator="kind")]
    source: SourceSettings
    noise: NoiseSettings
    station_terms: StationTermSettings = StationTermSettings()
    likelihood: Literal["gaussian", "student-t"] = "gaussian"
    degrees_of_freedom: Annotated[float, Field(gt=2, allow_inf_nan=False)] = 5.0
    unknown_noise: bool = False
    gradient: bool = True
    truth: Path | None = None

    def model_post_init(self, _context: Any) -> None:
        """Check what one key says of another."""
        if isinstance(self.origin_time, tuple):
            _ordered("origin_time", self.origin_time)
        if self.likelihood == "student-t" and self.source.integrates:
            raise ConfigError(
                "likelihood", self.likelihood, "the tensor can be integrated out of Gaussian errors alone: integrate = false"
            )
