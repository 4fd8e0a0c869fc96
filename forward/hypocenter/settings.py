"""The ``[forward]`` table of an earthquake location."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vip.errors import ConfigError
from vip.forward.earthquakes.region import RegionSettings
from vip.settings import Positive, Settings


class AccuracySettings(Settings):
    """Accuracy of predicted times (eq. 14 of Smith et al. 2022): a fraction of them, between `least` and `most` s."""

    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    least: Annotated[float, Field(ge=0)] = 0.1
    most: Positive = 2.0

    def model_post_init(self, _context: object) -> None:
        """Check the order of bounds."""
        if self.least > self.most:
            raise ConfigError("least", self.least, f"must not be larger than most, which is {self.most}")


class HypocenterSettings(Settings):
    """Settings of `Hypocenters`.

    Attributes
    ----------
    stations, picks : path
        Files of stations and picks; their formats are in `vip.forward.earthquakes.reading`.
    velocity : path
        File of layers as CSV or LAYER lines of NonLinLoc, or of nodes in three dimensions as NetCDF or NonLinLoc's grid of P
        (model.P.mod.hdr; that of S is found beside it).
    between : "constant" or "linear"
        Velocity between the depths of layers.
    projection : str, optional
        PROJ string or EPSG code of the map for distances; by default that of a NonLinLoc grid, or else a transverse
        Mercator about the stations.
    spacing : float
        Spacing of the nodes that travel times are computed on, km.
    travel_times : "tables" or "eikonet"
        One table for each station and phase, or one neural network for each phase, trained when the velocity model or the
        region is new (see `vip.forward.earthquakes.traveltimes.eikonet`); it needs the extra "neural".
    likelihood : "edt" or "gaussian"
        Equal differential times, or Gaussian errors with the origin time as one more unknown.
    exponent : "calibrated", "picks" or "pairs"
        Power of equal differential times, see `vip.forward.hypocenter.likelihood.EDT`.
    accuracy : table
    sigma : table
        Standard deviations of picks, s, by phase, where the file gives none.
    fewest_picks : int
        Least number of picks; events with fewer are left out.
    cache : path, optional
        Folder in which travel times are kept; by default in the user's cache.
    """

    stations: Path
    picks: Path
    velocity: Path
    region: RegionSettings
    between: Literal["constant", "linear"] = "constant"
    projection: str | None = None
    spacing: Positive = 1.0
    travel_times: Literal["tables", "eikonet"] = "tables"
    likelihood: Literal["edt", "gaussian"] = "edt"
    exponent: Literal["calibrated", "picks", "pairs"] = "calibrated"
    accuracy: AccuracySettings = AccuracySettings()
    sigma: dict[Literal["P", "S"], Positive] = Field(default_factory=dict)
    fewest_picks: Annotated[int, Field(ge=4)] = 4
    cache: Path | None = None

    @property
    def papers(self) -> tuple[str, ...]:
        """Keys of the papers of the likelihood and of the solver of travel times."""
        likelihood = ("smith_2022", "lomax_2000") if self.likelihood == "edt" else ("smith_2022",)
        times = ("smith_2021",) if self.travel_times == "eikonet" else ("sethian_1996", "fomel_2009", "luo_qian_2012")
        return likelihood + times
