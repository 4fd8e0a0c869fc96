"""What a table of Green's functions is filled from, and how well it is to keep them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vip.errors import ConfigError
from vip.settings import Count, Finite, Positive, Settings

Triple = tuple[Positive, Positive, Positive]


class FillSettings(Settings):
    """Earth and band of a table, and how well it is to keep them. Lengths are in m, times in s.

    Attributes
    ----------
    earth : Path
        File of the earth, see `vip.forward.waveform.earth.read_earth`.
    units : {"m", "km"}
        Units of that file.
    spacing : float or 3 floats
        Distance of its nodes along x, y and depth, where the file does not say it.
    extent : 3 floats
        Size of an earth of layers.
    origin : 3 floats
        Coordinates of the first node, where the file does not say them.
    frequency : float
        Highest frequency, Hz: the moment rate is a Gaussian whose spectrum there is 1 % of that at zero.
    tolerance : float
        Part of a trace's energy that the table may lose.
    every : int
        Least distance of the table's nodes, in nodes of the earth.
    order : {4, 8}
        Order of accuracy of the solver in space.
    layer : int
        Width of the absorbing layers, nodes.
    free_surface : bool
        Whether the first depth is a free surface.
    """

    earth: Path
    units: Literal["m", "km"] = "m"
    spacing: Positive | Triple | None = None
    extent: Triple | None = None
    origin: tuple[Finite, Finite, Finite] | None = None
    frequency: Positive
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.01
    every: Count = 2
    order: Literal[4, 8] = 4
    layer: Annotated[int, Field(ge=4)] = 10
    free_surface: bool = False


class GreensSettings(FillSettings):
    """The ``[greens]`` table: a table of Green's functions that is made before there are data.

    Attributes
    ----------
    receivers : Path
        CSV: station, channel, kind ("pressure" or "velocity"), x, y, depth; and for velocity azimuth and dip as in StationXML:
        degrees from y (north) to x (east), and downwards.
    box : 3 pairs
        Least and greatest x, y and depth of events.
    dt : float
        Sampling interval of traces.
    duration : float
        Time after the origin time at which traces end.
    """

    receivers: Path
    box: tuple[tuple[Finite, Finite], tuple[Finite, Finite], tuple[Finite, Finite]]
    dt: Positive
    duration: Positive

    def model_post_init(self, _context: object) -> None:
        """Check what two keys have to do with each other."""
        for axis, (low, high) in zip("xyz", self.box, strict=True):
            if not low < high:
                raise ConfigError("box", f"{axis} from {low:g} to {high:g}", "must grow")
