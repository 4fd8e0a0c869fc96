"""Speeds and station corrections that were learned, beside the true speeds where they are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from vip.forward.association.pictures.shown import Shown
from vip.forward.earthquakes.sections import PHASES
from vip.pages.style import BLACK, Picture

BELOW = 0.15
"""Length of the last layer in the picture, over the depth of its top."""
LEAST_BELOW = 2.0
"""Least length of the last layer, km."""


def speeds(shown: Shown) -> Picture | None:
    """Speeds of P and S with depth, and how far they are from the truth; None if they were known."""
    from matplotlib.figure import Figure

    learned, true = shown.catalogue.speed, None if shown.truth is None else shown.truth.velocity
    if learned is None:
        return None
    figure = Figure(figsize=(7.4 if true is not None else 4.2, 4.6), layout="constrained")
    ax, *others = figure.subplots(1, 1 + (true is not None), sharey=True, squeeze=False)[0]
    bottom = float(learned["depth"].max() + max(LEAST_BELOW, BELOW * np.ptp(learned["depth"])))
    for phase, column in (("P", "vp"), ("S", "vs")):
        if column in learned:
            _profile(ax, learned, column, bottom, PHASES[phase][0], phase)
            for beside in others:
                _difference(beside, learned, true, column, bottom, PHASES[phase][0])
    if true is not None:
        for column in {"vp", "vs"} & set(true):
            depths, values = _steps(true["depth"], true[column], bottom)
            ax.plot(values, depths, color=BLACK, lw=1, ls="--", label="truth" if column == "vp" else None)
    ax.set(xlabel="speed (km/s)", ylabel="depth (km)", ylim=(bottom, float(learned["depth"].min())))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    caption = "Speeds of the layers that were learned from the picks, with two standard deviations to both sides"
    caption += "; right, their differences from the true ones." if true is not None else "."
    return Picture("speeds", "Speeds", caption, figure)


def corrections(shown: Shown) -> Picture | None:
    """Corrections of the times at each station, with two standard deviations; None if they were known."""
    from matplotlib.figure import Figure

    learned = shown.catalogue.stations
    if learned is None:
        return None
    figure = Figure(figsize=(5.0, 1.2 + 0.22 * len(learned)), layout="constrained")
    ax, row = figure.subplots(), np.arange(len(learned))
    for (phase, (color, marker)), off in zip(PHASES.items(), (-0.15, 0.15), strict=True):
        if f"correction_{phase.lower()}" in learned:
            value, sigma = (learned[f"{name}_{phase.lower()}"] for name in ("correction", "sigma"))
            ax.errorbar(value, row + off, xerr=2 * sigma, fmt=marker, color=color, ms=4, lw=1, label=phase)
    ax.axvline(0, color=BLACK, lw=0.8)
    ax.set(xlabel="correction of travel times (s)", ylim=(len(learned) - 0.5, -0.5))
    ax.set_yticks(row, learned["station"])
    ax.legend(loc="best")
    caption = "Corrections that were learned from the picks, with two standard deviations: later than expected is positive."
    return Picture("corrections", "Station corrections", caption, figure)


def _steps(depth: pd.Series, speed: pd.Series, bottom: float) -> tuple[Any, Any]:
    """Depths and speeds of the corners of layers, down to the bottom of the picture."""
    return np.append(np.repeat(depth, 2)[1:], bottom), np.repeat(speed, 2)


def _profile(ax: Any, learned: pd.DataFrame, column: str, bottom: float, color: str, label: str) -> None:
    depths, values = _steps(learned["depth"], learned[column], bottom)
    _, sigma = _steps(learned["depth"], learned[f"sigma_{column}"], bottom)
    ax.plot(values, depths, color=color, lw=1.6, label=label)
    ax.fill_betweenx(depths, values - 2 * sigma, values + 2 * sigma, color=color, alpha=0.25, lw=0)


def _difference(ax: Any, learned: pd.DataFrame, true: Any, column: str, bottom: float, color: str) -> None:
    """Learned speeds less those of the layers of the truth in which their tops are."""
    if column not in true:
        return
    layer = np.searchsorted(true["depth"], learned["depth"], side="right").clip(1) - 1
    off = learned[column].to_numpy() - true[column].to_numpy()[layer]
    _profile(ax, learned.assign(**{column: off}), column, bottom, color, "")
    ax.axvline(0, color=BLACK, lw=0.8)
    ax.set(xlabel="learned - true (km/s)")
