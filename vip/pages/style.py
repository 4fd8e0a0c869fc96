"""What all figures have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150

# Colours that the colour-blind tell apart (Okabe & Ito 2008).
BLUE, ORANGE, GREY, BLACK = "#0072B2", "#D55E00", "#8c8c8c", "#000000"
GREEN, PINK, SKY, AMBER, YELLOW = "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442"

STYLE: dict[Any, Any] = {
    "savefig.dpi": DPI,
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "date.converter": "concise",
    # Names and units are the user's: a dollar sign in them is no formula.
    "text.parse_math": False,
}
"""Settings of matplotlib while figures are drawn and saved."""


class Picture(NamedTuple):
    """A figure with its file name, title and caption."""

    name: str
    title: str
    caption: str
    figure: Figure
