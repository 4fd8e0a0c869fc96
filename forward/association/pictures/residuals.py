"""Residuals of all picks of events: by station, with distance, and how they are spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from vip.forward.association.pictures.shown import Shown, by_distance, by_station
from vip.forward.earthquakes.sections import PHASES
from vip.pages.style import BLACK, Picture

MOST = 60
"""Largest number of stations, those with most picks."""
WIDEST = 6.0
"""Range of the residuals on either side, in standard deviations."""


def stations(shown: Shown) -> Picture | None:
    """Median and quartiles of the residuals of each station; None without picks of events."""
    from matplotlib.figure import Figure

    if shown.own.empty:
        return None
    found = by_station(shown)
    total = found["number"].groupby("station").sum().sort_values(ascending=False, kind="stable")
    order = total.index[:MOST].to_numpy()
    figure = Figure(figsize=(8.0, 1.2 + 0.2 * len(order)), layout="constrained")
    ax = figure.subplots()
    ax.axvline(0, color="0.8", lw=0.8, zorder=0)
    for (phase, (color, marker)), off in zip(PHASES.items(), (-0.15, 0.15), strict=True):
        own = found[found.index.get_level_values("phase") == phase].droplevel("phase").reindex(order)
        row = np.arange(len(order)) + off
        ax.hlines(row, own["low"], own["high"], color=color, lw=1.6, alpha=0.6)
        ax.plot(own["median"], row, marker, color=color, ms=4, label=phase)
    ax.set_yticks(np.arange(len(order)), [shown.network.stations.names[i] for i in order], fontsize=7.5)
    numbers = ax.secondary_yaxis("right")
    counts = [", ".join(f"{_number(found, i, phase)} {phase}" for phase in PHASES) for i in order]
    numbers.set_yticks(np.arange(len(order)), counts, fontsize=7.5)
    for axis in (ax, numbers):
        axis.tick_params(axis="y", length=0)
    numbers.spines["right"].set_visible(False)
    ax.set(xlabel="residual (s)", ylim=(len(order) - 0.4, -0.6))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    some = f"The {MOST} of {len(total)} stations with most picks. " if len(total) > MOST else ""
    caption = (
        f"{some}Medians and quartiles of observed less expected times, and numbers of picks. A station that is off as a whole "
        "needs a correction, or its clock a look."
    )
    return Picture("residuals_by_station", "Residuals by station", caption, figure)


def _number(found: pd.DataFrame, station: int, phase: str) -> int:
    return int(found["number"].get((station, phase), 0))


def distances(shown: Shown) -> Picture | None:
    """Residuals with distance, and a histogram of them, for each phase; None without picks of events."""
    from matplotlib.figure import Figure

    own = shown.own
    if own.empty:
        return None
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    axes = figure.subplots(2, 2, width_ratios=[3, 1], sharey="row", sharex="col")
    for (left, right), phase in zip(axes, PHASES, strict=True):
        _with_distance(left, right, own[own["phase"] == phase], phase, shown.catalogue.learned.sigma[phase])
    axes[1, 0].set(xlim=(0, None), xlabel="epicentral distance (km)")
    axes[1, 1].set_xlabel("picks")
    caption = (
        "Observed less expected times. Lines: median, and the range that holds 68 % of the picks, in bins of distance. Right: "
        "the Gaussian is that of picks without a standard deviation of their own."
    )
    return Picture("residuals_by_distance", "Residuals with distance", caption, figure)


def _with_distance(left: Any, right: Any, own: pd.DataFrame, phase: str, sigma: float) -> None:
    color, marker = PHASES[phase]
    residual, most = own["residual"].to_numpy(), WIDEST * sigma
    left.axhline(0, color="0.8", lw=0.8, zorder=0)
    left.plot(own["distance"], residual, marker, color=color, ms=2.5, mew=0, alpha=0.35)
    course = by_distance(own)
    left.plot(course["distance"], course["median"], color=BLACK, lw=1.4)
    left.plot(course["distance"], course[["low", "high"]], color=BLACK, lw=1, ls="--")
    left.set(ylim=(-most, most), ylabel=f"residual of {phase} (s)")
    edges = np.linspace(-most, most, 61)
    right.hist(residual, edges, orientation="horizontal", color=color, alpha=0.6)
    height = len(residual) * (edges[1] - edges[0]) * np.exp(-(edges**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    right.plot(height, edges, color=BLACK, lw=1)
