"""How sure associations are, and whether they are as often right as they say."""

from __future__ import annotations

from typing import Any

import numpy as np

from vip.forward.association.pictures.shown import LEVEL, Shown, reliability
from vip.pages.style import BLACK, BLUE, GREY, Picture

KINDS = {"of an event": BLUE, "of no event": GREY}


def probabilities(shown: Shown) -> Picture:
    """Numbers of picks by probability and, where the truth is known, shares that are right."""
    from matplotlib.figure import Figure

    known = shown.truth is not None
    figure = Figure(figsize=(8.6 if known else 4.6, 4.0), layout="constrained")
    *first, last = figure.subplots(1, 1 + known, squeeze=False)[0]
    for ax in first:
        _diagram(ax, shown)
    _histogram(last, shown)
    figure.legend(*last.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    caption = "How sure it is that a pick is of its event; or, of picks that have none, that they are of none."
    if not known:
        return Picture("probabilities", "Probabilities", caption, figure)
    caption = (
        f"{caption} Left: share that is right among picks of about the same probability, with intervals of {LEVEL:.0%}; below "
        "the diagonal, associations are not as sure as they say."
    )
    return Picture("reliability", "Reliability of probabilities", caption, figure)


def _diagram(ax: Any, shown: Shown) -> None:
    said, used = shown.picks["probability"].to_numpy(), (shown.picks["event"] >= 0).to_numpy()
    ax.plot([0, 1], [0, 1], color=BLACK, lw=1, ls="--")
    for own, (color, marker) in ((used, (BLUE, "o")), (~used, (GREY, "D"))):
        found = reliability(said[own], shown.right[own])
        ends = np.abs(np.stack([found.low, found.high]) - found.right)
        ax.errorbar(found.said, found.right, ends, fmt=marker, color=color, ms=4.5, lw=1, capsize=2)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="probability", ylabel="share that is right", aspect="equal")


def _histogram(ax: Any, shown: Shown) -> None:
    used = shown.picks["event"] >= 0
    for (name, color), own in zip(KINDS.items(), (used, ~used), strict=True):
        ax.hist(shown.picks["probability"][own], np.linspace(0, 1, 41), histtype="step", color=color, lw=1.6, label=name)
    ax.set(yscale="log", ylim=(0.7, None), xlim=(-0.02, 1.02), xlabel="probability", ylabel="picks")
    ax.yaxis.set_major_formatter("{x:,.0f}")
