"""How often true values lie inside intervals of the samples, against how often they should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vip.diagnose.statistics import central_coverage
from vip.pages.style import BLACK, BLUE, ORANGE, Picture
from vip.protocols import Floats
from vip.report.findings import Findings
from vip.report.layout import name_of

LEVELS = np.linspace(0.01, 0.99, 99)
"""Levels of central intervals."""
LEAST = 20
"""Least number of entries of a variable: with fewer, shares of them say little."""
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7")


def curves(findings: Findings) -> Iterator[Picture]:
    """Share of true values inside central intervals of all levels, a curve for each variable."""
    below = findings.below_truth
    if below is None:
        return
    curves, places = {}, findings.space.slices()
    for variable in findings.space.variables:
        part = places[variable.name]
        free = ~findings.fixed[part]
        if free.sum() >= LEAST:
            curves[name_of(variable)] = below[part][free]
    if not curves:
        return
    figure = Figure(figsize=(4.4, 4.0), layout="constrained")
    draw_coverage(figure.subplots(), curves)
    caption = (
        "Share of the entries whose true value is inside the samples' central interval of each level. Below the diagonal the "
        "samples are too narrow, above it too wide; neighbouring nodes err together, so that one run may be off by chance."
    )
    yield Picture("expected_coverage", "Expected coverage", caption, figure)


def draw_coverage(ax: Axes, below: Mapping[str, Floats]) -> None:
    """Curves by name, from the shares of samples below true values."""
    ax.plot([0, 100], [0, 100], color=BLACK, lw=1, ls="--", label="ideal")
    for i, (name, values) in enumerate(below.items()):
        ax.plot(100 * LEVELS, 100 * central_coverage(values, LEVELS), color=COLOURS[i % len(COLOURS)], lw=1.8, label=name)
    ax.set(xlim=(0, 100), ylim=(0, 100), xlabel="central interval (%)", ylabel="true values inside (%)")
    ax.set_aspect("equal")
    ax.legend(loc="upper left")
