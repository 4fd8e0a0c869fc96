"""The whole record: events and picks by time, and why picks were left out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vip.forward.association.pictures.shown import Shown, by_time
from vip.pages.style import BLACK, BLUE, GREY, Picture


def rates(shown: Shown) -> Picture:
    """Number of events and share of the picks that are used, in the course of time."""
    from matplotlib.figure import Figure

    start, width, events, picks, used = by_time(shown)
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    look: dict[str, Any] = {"width": width, "align": "edge", "edgecolor": "white", "lw": 0.5}
    above.bar(start, events, color=BLUE, **look)
    above.set(ylim=(0, max(1, 1.05 * events.max())), ylabel=f"events in {_words(width)}")
    below.bar(start, picks, color="0.85", label="all picks", **look)
    below.bar(start, used, color=BLUE, label="of events", **look)
    below.set_ylabel(f"picks in {_words(width)}")
    for ax in (above, below):
        ax.yaxis.get_major_locator().set_params(integer=True)
    share = below.twinx()
    some = picks > 0
    share.plot((start + width / 2)[some], 100 * used[some] / picks[some], color=BLACK, lw=1.2, marker=".", ms=5, clip_on=False)
    share.set(ylim=(0, 100), ylabel="share of events (%)")
    share.spines["right"].set_visible(True)
    below.set_xlabel("time (UTC)")
    figure.legend(*below.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return Picture("rates", "Events and picks in time", "Black line: share of the picks that are of an event.", figure)


def reasons(shown: Shown) -> Picture | None:
    """Number of the rows that are of no event by the reason; None if there is no such row."""
    from matplotlib.figure import Figure

    left = shown.catalogue.left_out()
    if not left:
        return None
    total = len(shown.catalogue.assignments)
    figure = Figure(figsize=(7.5, 0.8 + 0.34 * len(left)), layout="constrained")
    ax = figure.subplots()
    bars = ax.barh(list(left), list(left.values()), color=GREY)
    ax.bar_label(bars, [f" {number:,} ({number / total:.1%})" for number in left.values()], fontsize=8.5)
    ax.invert_yaxis()
    ax.margins(x=0.18)
    ax.set_xlabel("rows")
    ax.tick_params(axis="y", length=0)
    caption = f"Rows that are of no event, in number and as a share of all {total:,}; the table of assignments has each reason."
    return Picture("reasons", "Why picks are of no event", caption, figure)


def _words(width: pd.Timedelta) -> str:
    """A width of time in words.

    Examples
    --------
    >>> _words(pd.Timedelta("5min")), _words(pd.Timedelta("1h")), _words(pd.Timedelta("7D"))
    ('5 min', '1 h', '7 d')
    """
    minutes = round(width / pd.Timedelta("1min"))
    if minutes % 1440 == 0:
        return f"{minutes // 1440} d"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
