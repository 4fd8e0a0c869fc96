"""Figures of locations: the catalogue, and its events one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vip.forward.earthquakes.origins import Origin
from vip.forward.earthquakes.sections import DEPTH, PHASES, add_degrees, equal_scales, sections
from vip.pages.contours import LEVELS, contours
from vip.pages.style import GREY, ORANGE
from vip.protocols import Floats

if TYPE_CHECKING:
    from vip.forward.earthquakes.network import Network


SHOWN = 12
"""Number of events with a figure of their own."""
REACH = 4.0
"""Extent of the figure of an event, in its standard deviations."""
TYPICAL = 6.0
"""Range of the colours of stations on either side, in medians of the residuals' sizes."""

Picture = tuple[str, str, str, Any]
"""Name of the file, title, caption and figure of a picture."""


def pictures(origins: Sequence[Origin], phases: Sequence[NDArray[np.str_]], network: Network) -> Iterator[Picture]:
    """The catalogue coloured by depth and by uncertainty, then its first events.

    Parameters
    ----------
    origins : sequence of Origin
    phases : sequence of arrays of str
        Phases of the picks of each event.
    network : Network
    """
    if len(origins) > 1:
        depth = np.array([origin.depth for origin in origins])
        yield _catalogue(origins, network, depth, DEPTH, "depth")
        spread = np.array([np.sqrt(np.linalg.eigvalsh(origin.covariance)[-1]) for origin in origins])
        yield _catalogue(origins, network, spread, "largest standard deviation (km)", "uncertainty")
    for origin, of_picks in zip(origins[:SHOWN], phases, strict=False):
        yield _event(origin, of_picks)


def _catalogue(origins: Sequence[Origin], network: Network, values: Floats, label: str, name: str) -> Picture:
    from cmcrameri import cm

    figure, (above, beside, below) = sections((7.6, 6.4))
    places = np.array([origin.modes[0].position for origin in origins])
    spread = np.sqrt(np.array([np.diag(origin.covariance) for origin in origins]))
    for ax, (i, j) in ((above, (0, 1)), (beside, (2, 1)), (below, (0, 2))):
        ax.errorbar(places[:, i], places[:, j], spread[:, j], spread[:, i], fmt="none", ecolor="0.75", elinewidth=0.7, zorder=1)
        mesh = ax.scatter(places[:, i], places[:, j], c=values, cmap=cm.batlow, s=18, lw=0.3, edgecolor="white", zorder=2)
    above.plot(network.place[:, 0], network.place[:, 1], "^", color="black", ms=4, mec="white", mew=0.4)
    if network.projection is not None:
        add_degrees(above, beside, network.projection, np.median(places[:, :2], axis=0))
    figure.colorbar(mesh, ax=[above, beside, below], label=label, shrink=0.7)
    equal_scales(figure, above)
    caption = "Most probable places with standard deviations of the posterior. Triangles: stations."
    return f"catalogue_{name}", f"Catalogue by {name}", caption, figure


def _event(origin: Origin, phases: NDArray[np.str_]) -> Picture:
    figure, (above, beside, below) = sections((10.2, 5.6), more=1)
    place, spread = origin.modes[0].position, np.sqrt(np.diag(np.cov(origin.samples.T)))
    for ax, (i, j) in ((above, (0, 1)), (beside, (2, 1)), (below, (0, 2))):
        ax.plot(origin.samples[:, i], origin.samples[:, j], ".", color=GREY, ms=3, mew=0)
        contours(ax, origin.samples[:, [i, j]], 0.2)
        ax.plot(place[i], place[j], "*", color=ORANGE, ms=11, mec="white", mew=0.6, zorder=4)
        for axis, k in ((ax.set_xlim, i), (ax.set_ylim, j)):
            low, high = origin.mean[k] - REACH * spread[k], origin.mean[k] + REACH * spread[k]
            axis(*((high, low) if k == 2 and j == 2 else (low, high)))
    around, residuals = (figure.add_subplot(figure.axes[0].get_gridspec()[row, 2]) for row in (0, 1))
    _stations(figure, around, origin)
    _residuals(residuals, origin, phases)
    figure.suptitle(f"{origin.event}   {np.datetime_as_string(origin.time, 'ms')}", fontsize=10.5)
    modes = "" if len(origin.modes) == 1 else f" {len(origin.modes)} modes, the largest with {origin.modes[0].weight:.0%}."
    caption = (
        f"Samples, contours that hold {LEVELS[0]:.0%} and {LEVELS[1]:.0%} of them, the most probable place (star); stations by "
        f"the mean residual of their picks; residuals with distance.{modes}"
    )
    return f"event_{origin.event}", f"Event {origin.event}", caption, figure


def _stations(figure: Any, ax: Any, origin: Origin) -> None:
    """Draw stations around the epicentre by azimuth and distance, each as a symbol with the mean of its residuals."""
    from cmcrameri import cm

    azimuth = np.radians(origin.arrivals.azimuth)
    places = origin.arrivals.distance[:, None] * np.stack([np.sin(azimuth), np.cos(azimuth)], axis=1)
    stations, which = np.unique(places.round(6), axis=0, return_inverse=True)
    residual = np.bincount(which.ravel(), origin.arrivals.residual) / np.bincount(which.ravel())
    most = TYPICAL * float(np.median(np.abs(origin.arrivals.residual))) or 1.0  # a false pick must not hide the others
    mesh = ax.scatter(*stations.T, c=residual, cmap=cm.vik, vmin=-most, vmax=most, marker="^", s=34, lw=0.4, edgecolor="black")
    ax.plot(0, 0, "*", color=ORANGE, ms=9, mec="white", mew=0.5)
    ax.set(xlabel="east of it (km)", ylabel="north of it (km)", aspect="equal")
    figure.colorbar(mesh, ax=ax, label="mean residual (s)", extend="both")


def _residuals(ax: Any, origin: Origin, phases: NDArray[np.str_]) -> None:
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    for phase, (color, marker) in PHASES.items():
        chosen = phases == phase
        ax.plot(origin.arrivals.distance[chosen], origin.arrivals.residual[chosen], marker, color=color, ms=4, label=phase)
    ax.set(xlabel="distance (km)", ylabel="residual (s)")
    ax.legend(loc="best", ncols=2)
