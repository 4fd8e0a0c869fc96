"""The ``[forward]`` table of events whose picks are not known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vip.forward.earthquakes.region import RegionSettings
from vip.settings import Positive, Settings


class AssociationSettings(Settings):
    """Settings of `MarginalHypocenters`; the events and what is not given come from an association, see `vip.associate`.

    Attributes
    ----------
    stations, picks, velocity : path
        Files of stations, picks without events, and velocities; their formats are in `vip.forward.earthquakes.reading`.
    region : table
        Where events may be.
    between : "constant" or "linear"
        Velocity between the depths of layers.
    projection : str, optional
        PROJ string or EPSG code of the map; by default a transverse Mercator about the stations.
    sigma : table
        Standard deviations of picks, s, by phase, where the file gives none; by default learned from residuals.
    detection : float, optional
        Probability that a wave is picked at a station within reach of the event; by default learned.
    least : int
        Least number of picks of an event.
    spacing : float, optional
        Spacing of the nodes on which events are sought first, km; by default 5 km where the number of nodes allows it.
    cache : path, optional
        Folder in which travel times are kept; by default in the user's cache.
    """

    stations: Path
    picks: Path
    velocity: Path
    region: RegionSettings
    between: Literal["constant", "linear"] = "constant"
    projection: str | None = None
    sigma: dict[Literal["P", "S"], Positive] = Field(default_factory=dict)
    detection: Annotated[float, Field(gt=0, lt=1)] | None = None
    least: Annotated[int, Field(ge=4)] = 5
    spacing: Positive | None = None
    cache: Path | None = None
