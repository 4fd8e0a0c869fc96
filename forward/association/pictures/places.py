"""The map of all events, with two sections of depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import chi2

from vip.forward.association.pictures.shown import Shown
from vip.forward.earthquakes.origins import LEVEL
from vip.forward.earthquakes.sections import DEPTH, add_degrees, equal_scales, sections
from vip.pages.style import BLACK, ORANGE, Picture
from vip.protocols import Floats

CLOSE = (0.02, 0.98)
"""Quantiles of the events' places between which the nearer picture is."""
MUCH = 0.6
"""Extent of the nearer picture in that of the map, above which it shows nothing more."""
ELLIPSES = 300
"""Largest number of events with ellipses: more of them hide each other."""


def places(shown: Shown) -> Iterator[Picture]:
    """The map with all stations and, if events are close together, another one of these."""
    if not len(shown.place):
        return
    known = "; crosses: true places; orange rims: no true event" if len(shown.true_place) else ""
    caption = f"Places with ellipses of {LEVEL:.0%}; triangles: stations with picks{known}."
    yield Picture("map", "Map and sections", caption, _sections(shown, None))
    every = np.concatenate([shown.place, shown.network.place])[:, :2]
    low, high = np.quantile(shown.place, CLOSE, axis=0)
    if len(shown.place) > 1 and (high - low)[:2].max() < MUCH * np.ptp(every, axis=0).max():
        yield Picture("map_close", "Map and sections, closer", f"Most of the events. {caption}", _sections(shown, (low, high)))


def _sections(shown: Shown, limits: tuple[Floats, Floats] | None) -> Any:
    from cmcrameri import cm
    from matplotlib.colors import Normalize

    figure, axes = sections((8.2, 6.8))
    above, beside, _ = axes
    order = np.argsort(-shown.place[:, 2])  # shallow ones lie above deep ones
    places, covariance = shown.place[order], shown.covariance[order]
    wrong = (shown.matched[order] < 0) & (shown.truth is not None)
    edge, width = np.where(wrong, ORANGE, "0.3"), np.where(wrong, 1.4, 0.4)
    depths = Normalize(np.floor(places[:, 2].min()), np.floor(places[:, 2].max()) + 1)
    for ax, (i, j) in zip(axes, ((0, 1), (2, 1), (0, 2)), strict=True):
        if len(shown.place) <= ELLIPSES:
            add_ellipses(
                ax, places[:, [i, j]], covariance[:, [i, j]][:, :, [i, j]], edgecolor="0.3", alpha=0.5, lw=0.6, zorder=1
            )
        look = {"cmap": cm.batlow_r, "norm": depths, "s": 18, "lw": width, "edgecolor": edge}
        mesh = ax.scatter(places[:, i], places[:, j], c=places[:, 2], zorder=3, **look)
        ax.plot(*shown.true_place[:, [i, j]].T, "x", color=BLACK, ms=4, mew=0.7, zorder=4)
    above.plot(*shown.network.place[:, :2].T, "^", color=BLACK, ms=5, mec="white", mew=0.5, zorder=2)
    if limits is not None:
        _zoom(axes, *limits)
    if shown.network.projection is not None:
        add_degrees(above, beside, shown.network.projection, np.median(shown.place[:, :2], axis=0))
    figure.colorbar(mesh, ax=list(axes), label=DEPTH, shrink=0.7).ax.invert_yaxis()
    equal_scales(figure, above)
    return figure


def _zoom(axes: Any, low: Floats, high: Floats) -> None:
    above, beside, below = axes
    edge = 0.08 * (high - low) + 0.1
    low, high = low - edge, high + edge
    above.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    beside.set_xlim(low[2], high[2])
    below.set_ylim(high[2], low[2])


def add_ellipses(ax: Any, middle: Floats, covariance: Floats, **look: Any) -> None:
    """Draw the ellipses that hold 68 % of Gaussians in two dimensions.

    Parameters
    ----------
    ax : Axes
    middle : (n, 2) float
        Means, in the units of the axes.
    covariance : (n, 2, 2) float
    **look
        How matplotlib draws them.
    """
    from matplotlib.collections import EllipseCollection

    values, vectors = np.linalg.eigh(covariance)
    width, height = 2 * np.sqrt(chi2.ppf(LEVEL, 2) * np.maximum(values, 0)).T
    angle = np.degrees(np.arctan2(vectors[:, 1, 0], vectors[:, 0, 0]))
    ax.add_collection(
        EllipseCollection(
            width, height, angle, units="xy", offsets=middle, offset_transform=ax.transData, facecolor="none", **look
        )
    )
