"""Figure of residuals by station, in which a wrong clock or place shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from vip.forward.tomo2d.data import Picks
from vip.forward.tomo2d.residuals import station_scores
from vip.pages.style import BLUE, GREEN, GREY, ORANGE, PINK, SKY, Picture
from vip.protocols import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 60
"""Largest number of stations in the figure: those whose residuals are the largest."""
SURE = 3.0
"""Standard score beyond which a station's residuals are marked."""
COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, GREY)


def pictures(periods: Mapping[str, Picks], predicted: Floats) -> Iterator[Picture]:
    """Standard scores of the mean residual of each station, for each period.

    Parameters
    ----------
    periods : mapping of str to Picks
        Data by the label of the period.
    predicted : (n, n_data) float
        Times that samples predict, s, period by period.
    """
    scores = station_scores(periods, predicted)
    worst = {name: max(abs(of.get(name, 0.0)) for of in scores.values()) for of in scores.values() for name in of}
    names = sorted(sorted(worst, key=lambda name: -worst[name])[:SHOWN])
    found = [name for name in names if worst[name] > SURE]
    marked = f"Beyond {SURE:g}: {', '.join(found)}." if found else f"None is beyond {SURE:g}."
    caption = (
        "Mean of (observed − predicted) / σ over the paths of a station, over its standard deviation if all errors are "
        f"independent. A station far from 0 may have a wrong clock or place. {marked}"
    )
    yield Picture("station_residuals", "Residuals by station", caption, _figure(scores, names))


def _figure(scores: Mapping[str, Mapping[str, float]], names: list[str]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    ax = figure.subplots()
    ax.axhspan(-SURE, SURE, color="0.93", zorder=0)
    ax.axhline(0, color="0.6", lw=0.8, zorder=1)
    for i, (label, of) in enumerate(scores.items()):
        colour, marker = COLOURS[i % len(COLOURS)], "osD"[i // len(COLOURS) % 3]
        at = [k for k, name in enumerate(names) if name in of]
        ax.plot(at, [of[names[k]] for k in at], marker, color=colour, ms=4, label=label or None)
    ax.set(xlabel="station", ylabel="standard score", xlim=(-0.8, len(names) - 0.2))
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    if list(scores) != [""]:
        ax.legend(ncols=1, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
