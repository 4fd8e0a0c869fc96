"""The part of a record where events are nearest together, as in Fig. 4 of Shi et al. (2024): stations by rows, time along."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.pictures.shown import Shown
from vip.forward.association.window.channels import Ints
from vip.forward.earthquakes.sections import PHASES
from vip.pages.style import AMBER, BLACK, BLUE, GREEN, GREY, ORANGE, PINK, SKY, YELLOW, Picture

COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, AMBER, BLACK, YELLOW)
OTHER, NONE = "0.8", "white"
"""Colours of other events, and of none."""
MOST = 40
"""Largest number of stations, the nearest."""


def window(shown: Shown) -> Picture | None:
    """The densest part of the record; None without events."""
    from matplotlib.figure import Figure

    events = shown.densest()
    if not len(events):
        return None
    of_these = np.isin(shown.picks["event"], events)
    stations = np.unique(shown.picks["station"][of_these])
    distance = shown.distance[events].mean(axis=0)
    stations = stations[np.argsort(distance[stations], kind="stable")][:MOST]
    figure = Figure(figsize=(9.6, 1.4 + 0.2 * len(stations)), layout="constrained")
    ax = figure.subplots()
    _rows(ax, shown, events, stations)
    _legend(figure, shown, events)
    truth = " Rings: as it was found; inside: the truth, white for none." if shown.truth is not None else ""
    caption = (
        f"{len(events)} events one after the other whose origin times are nearest together; stations by distance, the nearest "
        f"below. Colour: event of each pick; light grey: another one; small and grey: none.{truth}"
    )
    return Picture("window", "Where events are densest", caption, figure)


def _rows(ax: Any, shown: Shown, events: Ints, stations: Ints) -> None:
    start = shown.time[events[0]].astype("datetime64[s]")
    picks = shown.picks[np.isin(shown.picks["station"], stations)]
    time = (picks["time"].to_numpy() - start) / np.timedelta64(1, "s")
    own = np.isin(picks["event"], events)
    edge = 0.02 * np.ptp(time[own])
    inside = (time >= time[own].min() - edge) & (time <= time[own].max() + edge)
    picks, time = picks[inside], time[inside]
    row = np.array([np.flatnonzero(stations == station)[0] for station in picks["station"]])
    ax.hlines(np.arange(len(stations)), time.min(), time.max(), color="0.9", lw=0.7, zorder=0)
    ring = _colours(picks["event"].to_numpy(), events, GREY)
    known = shown.truth is not None
    inner = _colours(_found(shown, picks["true"].to_numpy(), events), events, NONE) if known else ring
    for phase, (_, marker) in PHASES.items():
        for used, size in ((False, 0.5), (True, 1.0)):
            chosen = ((picks["phase"] == phase) & ((picks["event"] >= 0) == used)).to_numpy()
            look = {"marker": marker, "zorder": 2 + used}
            at = time[chosen], row[chosen]
            face = "white" if known else ring[chosen]
            ax.scatter(*at, 46 * size, facecolor=face, edgecolor=ring[chosen], lw=1.5 * size, **look)
            ax.scatter(*at, 15 * size, facecolor=inner[chosen], lw=0, **look)
    ax.set_yticks(np.arange(len(stations)), [shown.network.stations.names[i] for i in stations], fontsize=7.5)
    ax.set(xlabel=f"time after {str(start).replace('T', ' ')} UTC (s)", ylim=(-0.8, len(stations) - 0.2))
    ax.margins(x=0.01)


def _found(shown: Shown, true: Ints, events: Ints) -> Ints:
    """Event that each of some true events (n,) is, -1 for none; another one, len(shown.time), if it is not shown."""
    number = np.full(len(shown.true_place) + 1, len(shown.time))
    number[-1] = -1
    of_these = events[shown.matched[events] >= 0]
    number[shown.matched[of_these]] = of_these
    return number[true]


def _colours(event: Ints, events: Ints, none: str) -> NDArray[np.object_]:
    """Colour of each pick by its event (n,): those shown, others, or none (-1)."""
    colours = np.full(len(event), OTHER, object)
    colours[event == -1] = none
    for one, colour in zip(events, COLOURS, strict=False):
        colours[event == one] = colour
    return colours


def _legend(figure: Any, shown: Shown, events: Ints) -> None:
    from matplotlib.lines import Line2D

    names = shown.catalogue.events["event"]
    looks = [{"marker": "o", "color": COLOURS[i], "label": names[event]} for i, event in enumerate(events)]
    looks += [{"marker": marker, "mfc": "none", "mec": BLACK, "label": phase} for phase, (_, marker) in PHASES.items()]
    handles = [Line2D([], [], ls="", **look) for look in looks]
    figure.legend(handles=handles, loc="outside upper center", ncols=5)
