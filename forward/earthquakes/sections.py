"""Figures of a map with two sections of depth, and how phases look in all figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vip.pages.style import BLUE, ORANGE
from vip.protocols import Floats

if TYPE_CHECKING:
    from vip.forward.earthquakes.projection import Projection

PHASES = {"P": (BLUE, "o"), "S": (ORANGE, "s")}
"""Colour and marker of each phase."""
X, Y, DEPTH = "east (km)", "north (km)", "depth (km)"


def sections(size: tuple[float, float], more: int = 0) -> tuple[Any, tuple[Any, Any, Any]]:
    """A map, a section of depth beside it that looks west, and one below it that looks north; and room for more columns."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(2, 2 + more, width_ratios=[1.6, 1] + [1.5] * more, height_ratios=[1.6, 1])
    above = figure.add_subplot(grid[0, 0])
    beside, below = figure.add_subplot(grid[0, 1], sharey=above), figure.add_subplot(grid[1, 0], sharex=above)
    above.set_ylabel(Y)
    beside.set_xlabel(DEPTH)
    below.set(xlabel=X, ylabel=DEPTH)
    below.invert_yaxis()
    above.tick_params(axis="x", labelbottom=False)
    beside.tick_params(axis="y", labelleft=False)
    return figure, (above, beside, below)


def equal_scales(figure: Any, ax: Any) -> None:
    """Make a km as long to the east as to the north, by wider limits, so that panels that share them stay aligned."""
    figure.draw_without_rendering()
    limits, size = np.array([ax.get_xlim(), ax.get_ylim()]), ax.bbox.size
    reach = np.max(np.diff(limits)[:, 0] / size) * size / 2
    middle = limits.mean(axis=1)
    ax.set(xlim=middle[0] + reach[0] * np.array([-1, 1]), ylim=middle[1] + reach[1] * np.array([-1, 1]))


def add_degrees(above: Any, beside: Any, projection: Projection, middle: Floats) -> None:
    """Draw longitudes above the map and latitudes beside the section, as they are along the lines through the middle."""
    from matplotlib.ticker import MaxNLocator

    def longitude(x: Floats) -> Floats:
        return projection.to_geographic(x, np.full_like(x, middle[1]))[1]

    def latitude(y: Floats) -> Floats:
        return projection.to_geographic(np.full_like(y, middle[0]), y)[0]

    center = projection.to_geographic(middle[:1], middle[1:])
    east = above.secondary_xaxis(
        "top", functions=(longitude, lambda degrees: projection.to_local(np.full_like(degrees, center[0]), degrees)[0])
    )
    north = beside.secondary_yaxis(
        "right", functions=(latitude, lambda degrees: projection.to_local(degrees, np.full_like(degrees, center[1]))[1])
    )
    east.set_xlabel("longitude (°)")
    north.set_ylabel("latitude (°)")
    east.xaxis.set_major_locator(MaxNLocator(4))
    north.yaxis.set_major_locator(MaxNLocator(5))
