"""One event: all picks against distance with the arrivals that are expected, where it was, and its residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from vip.forward.association.pictures.places import add_ellipses
from vip.forward.association.pictures.shown import Shown
from vip.forward.earthquakes.sections import PHASES
from vip.pages.style import BLACK, GREY, Picture

BEYOND = 1.2
"""Extent of the picture, in distances of the farthest pick."""
BEFORE = 0.05
"""Time that is shown before the origin, as a share of that after it."""
SURE = 0.95
"""Probability below which it is written beside the pick."""
LIGHT = "0.75"
"""Colour of picks of other events."""


def moveout(shown: Shown, event: int, why: str) -> Picture:
    """Picture of one event.

    Parameters
    ----------
    shown : Shown
    event : int
        Its index.
    why : str
        Reason why it is shown.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 5.0), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.9, 1], height_ratios=[1.7, 1])
    origin = shown.catalogue._origins[event]
    reach = BEYOND * float(origin.arrivals.distance.max())
    _arrivals(figure.add_subplot(grid[:, 0]), shown, event, reach)
    _map(figure.add_subplot(grid[0, 1]), shown, event, reach)
    _residuals(figure.add_subplot(grid[1, 1]), shown, event, reach)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, columnspacing=1.2)
    none = ", no true event" if shown.truth is not None and shown.matched[event] < 0 else ""
    odds = "" if origin.log_odds is None else f", log-odds {origin.log_odds:.0f}"
    figure.suptitle(
        f"{np.datetime_as_string(origin.time, 'ms').replace('T', ' ')} UTC, depth {origin.depth:.1f} km, "
        f"{origin.n_picks} picks{odds}{none}",
        fontsize=10.5,
    )
    caption = (
        f"{why}. Left: picks by distance and time; lines are the arrivals that are expected at stations, a small ring where "
        f"there is no pick. Colours are stronger the surer the pick; its probability is written if it is below {SURE:.0%}. "
        "Right: stations (full: with a pick of it), ellipse of 68 % and, where it is known, the true place (cross); residuals "
        "with the standard deviations of picks."
    )
    return Picture(f"event_{origin.event}", f"Event {origin.event}", caption, figure)


def _arrivals(ax: Any, shown: Shown, event: int, reach: float) -> None:
    expected, distance = shown.catalogue._expected, shown.distance[event]
    after = (shown.picks["time"].to_numpy() - shown.time[event]) / np.timedelta64(1, "s")
    picks = shown.picks.assign(away=distance[shown.picks["station"]], after=after)
    within = expected.time[event][distance[expected.station] <= reach]
    latest = 1.05 * float(within.max(initial=float(after[picks["event"] == event].max())))
    picks = picks[picks["after"].between(-BEFORE * latest, latest) & (picks["away"] <= reach)]
    for phase, (color, marker) in PHASES.items():
        channel = np.flatnonzero(expected.phase == phase)
        channel = channel[np.argsort(distance[expected.station[channel]], kind="stable")]
        station = expected.station[channel]
        ax.plot(distance[station], expected.time[event, channel], color=color, lw=1, alpha=0.7)
        own = picks[(picks["event"] == event) & (picks["phase"] == phase)]
        without = ~np.isin(station, own["station"])
        missing = distance[station[without]], expected.time[event, channel[without]]
        ax.plot(*missing, "o", mfc="white", mec=color, mew=0.7, ms=3, zorder=3)
        _own(ax, own, color, marker, f"{phase} of this event")
    _others(ax, picks, event)
    ax.set(xlim=(0, reach), ylim=(-BEFORE * latest, latest), xlabel="epicentral distance (km)", ylabel="time after origin (s)")


def _others(ax: Any, picks: pd.DataFrame, event: int) -> None:
    """Picks of other events and of none, in the background."""
    others, none = (picks["event"] >= 0) & (picks["event"] != event), picks["event"] < 0
    looks = {
        "others": {"mfc": "none", "mec": LIGHT, "mew": 0.7, "zorder": 1},
        "no event": {"color": GREY, "mew": 0, "zorder": 2},
    }
    for (name, look), chosen in zip(looks.items(), (others, none), strict=True):
        for phase, (_, marker) in PHASES.items():
            drawn = picks[chosen & (picks["phase"] == phase)]
            ax.plot(drawn["away"], drawn["after"], marker, ms=4, label=f"{phase} of {name}", **look)


def _own(ax: Any, own: pd.DataFrame, color: str, marker: str, label: str) -> None:
    """Picks of the event, the stronger the surer."""
    from matplotlib.colors import to_rgba

    face = np.array([to_rgba(color, value) for value in own["probability"]]).reshape(-1, 4)
    ax.scatter(own["away"], own["after"], 34, marker=marker, color="white", lw=0, zorder=4)
    ax.scatter(own["away"], own["after"], 34, marker=marker, facecolor=face, edgecolor=color, lw=1, zorder=5)
    ax.plot([], [], marker, color=color, ms=5.5, label=label)
    for pick in own[own["probability"] < SURE].itertuples():
        place = {"xytext": (5, -9), "textcoords": "offset points"}
        ax.annotate(f"{pick.probability:.0%}", (pick.away, pick.after), fontsize=7.5, color=color, zorder=6, **place)


def _map(ax: Any, shown: Shown, event: int, reach: float) -> None:
    place, stations = shown.place[event], shown.network.place
    used = np.unique(shown.picks["station"][shown.picks["event"] == event])
    ax.plot(stations[:, 0] - place[0], stations[:, 1] - place[1], "^", mfc="white", mec=GREY, mew=0.8, ms=5)
    ax.plot(stations[used, 0] - place[0], stations[used, 1] - place[1], "^", color=BLACK, ms=5)
    add_ellipses(ax, np.zeros((1, 2)), shown.covariance[event : event + 1, :2, :2], edgecolor=PHASES["S"][0], lw=1.2)
    ax.plot(0, 0, "*", color=PHASES["S"][0], ms=9, mec="white", mew=0.5, zorder=5)
    if shown.matched[event] >= 0:
        ax.plot(*(shown.true_place[shown.matched[event], :2] - place[:2]), "x", color=BLACK, ms=6, zorder=6)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="east of it (km)", ylabel="north of it (km)")


def _residuals(ax: Any, shown: Shown, event: int, reach: float) -> None:
    picks, arrivals = shown.catalogue._picks, shown.catalogue._origins[event].arrivals
    part = slice(picks.start[event], picks.start[event + 1])
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    for phase, (color, marker) in PHASES.items():
        own = picks.phase[part] == phase
        values = arrivals.distance[own], arrivals.residual[own], picks.sigma[part][own]
        ax.errorbar(*values, fmt=marker, color=color, ms=4, elinewidth=0.8)
    ax.set(xlim=(0, reach), xlabel="distance (km)", ylabel="residual (s)")
