"""Settings of the prior of a variable, one class for each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from vip.errors import ConfigError
from vip.settings import Finite, Positive, Settings


class SmoothnessSettings(Settings):
    """A Gaussian Markov random field that multiplies a prior."""

    sigma: Positive
    correlation_length: Positive


class UniformSettings(Settings):
    """Uniform prior; `bounds` says how algorithms in unconstrained space meet its bounds.

    `bounds_file` has a lower and an upper bound for each row of the variable (its first dimension). With `bounds_spacing`,
    the file's rows are that far apart, from zero, and bounds are interpolated at the variable's own rows.

    With `correlation_length`, in km, neighbouring nodes are alike and each node alone stays uniform between its bounds;
    `smoothness` multiplies the density by that of a smooth field, and then single nodes are not uniform.
    """

    kind: Literal["uniform"]
    unit: str | None = None
    lower: Finite | None = None
    upper: Finite | None = None
    bounds_file: Path | None = None
    bounds_spacing: Positive | None = None
    bounds: Literal["logit", "clip"] = "logit"
    correlation_length: Positive | None = None
    smoothness: SmoothnessSettings | None = None

    @model_validator(mode="after")
    def _ordered(self) -> UniformSettings:
        given = [value is not None for value in (self.lower, self.upper)]
        if given != [self.bounds_file is None] * 2:
            raise ConfigError("lower", self.lower, "give either lower and upper, or bounds_file")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ConfigError("upper", self.upper, f"must be larger than lower, which is {self.lower}")
        if self.correlation_length is not None and self.smoothness is not None:
            raise ConfigError("correlation_length", self.correlation_length, "give either correlation_length or smoothness")
        return self


class GaussianSettings(Settings):
    """Gaussian prior with one standard deviation, or a covariance matrix from a .npy or text file.

    With `whiten`, algorithms move in coordinates in which the prior is white noise, which suits a correlated prior better.
    """

    kind: Literal["gaussian"]
    unit: str | None = None
    mean: Finite
    sd: Positive | None = None
    covariance_file: Path | None = None
    smoothness: SmoothnessSettings | None = None
    whiten: bool = False

    @model_validator(mode="after")
    def _one_spread(self) -> GaussianSettings:
        if (self.sd is None) == (self.covariance_file is None):
            raise ConfigError("sd", self.sd, "give either sd or covariance_file")
        return self


class SmoothSettings(Settings):
    """Smoothness alone as a prior; `whiten` as for a Gaussian one."""

    kind: Literal["smooth"]
    unit: str | None = None
    mean: Finite
    sigma: Positive
    correlation_length: Positive
    whiten: bool = False


class CustomPriorSettings(Settings):
    """A prior of the user's, as ``package.module:Class`` or ``./file.py:Class``; other keys go to the class."""

    model_config = ConfigDict(frozen=True, extra="allow")
    kind: Literal["custom"]
    unit: str | None = None
    plugin: str


PriorSettings = Annotated[
    UniformSettings | GaussianSettings | SmoothSettings | CustomPriorSettings, Field(discriminator="kind")
]
