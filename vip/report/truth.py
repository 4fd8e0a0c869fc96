"""Comparison of the result with the truth of a synthetic test, row by row of a map."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from vip.pages.style import BLACK, BLUE, GREY, Picture
from vip.protocols import Variable
from vip.report.agreement import INTERVAL, Agreement
from vip.report.findings import Findings
from vip.report.layout import (
    SPACING,
    WIDTH,
    axis_label,
    format_ticks,
    maps_of,
    name_of,
    panels,
    points_down,
    space_dims,
    titled,
)


def rows(findings: Findings) -> Iterator[Picture]:
    """Correlation of mean and truth, and share of true values inside the samples' interval, by row of each map."""
    for variable in maps_of(findings.space):
        every = panels(findings.space, variable)
        size = (WIDTH, 3.4 * len(every))
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=SPACING))
        axes = figure.subplots(len(every), 2, squeeze=False, sharey="row")
        overall = []
        for (left, right), panel in zip(axes, every, strict=True):
            found = findings.agreement(panel)
            if found is None:  # the truth is not known
                return
            _draw_correlation(left, variable, found)
            _draw_covered(right, variable, found)
            left.set_title(titled("correlation with the truth", panel))
            right.set_title(titled(f"truth in the {_interval()} range", panel))
            overall.append(titled(f"{found} (start: correlation {found.start_correlation:.2f})", panel))
        caption = f"All nodes: {'; '.join(overall)}. Over the unknown nodes of each row; no value where the truth is constant."
        yield Picture(f"{variable.name}_truth", f"Mean and samples of {name_of(variable)} against the truth", caption, figure)


def summary(findings: Findings) -> str:
    """Agreement of all maps in words; empty where no truth is known."""
    words = []
    for variable in maps_of(findings.space):
        words += [titled(str(findings.agreement(panel)), panel) for panel in panels(findings.space, variable)]
    return "; ".join(words) if findings.truth is not None else ""


def _interval() -> str:
    low, high = (100 * quantile for quantile in INTERVAL)
    return f"{low:.0f}–{high:.0f} %"


def _draw_correlation(ax: Axes, variable: Variable, found: Agreement) -> None:
    place = variable.coords[space_dims(variable)[0]]
    ax.plot(found.start_correlation_by_row, place, color=GREY, lw=1.2, label="start")
    ax.plot(found.correlation_by_row, place, color=BLUE, lw=1.8, label="mean")
    ax.axvline(1, color=BLACK, lw=0.8, ls=":")
    ax.set(xlim=(min(-0.5, ax.get_xlim()[0]), 1.05), xlabel="correlation along the row")
    _finish(ax, variable)


def _draw_covered(ax: Axes, variable: Variable, found: Agreement) -> None:
    place = variable.coords[space_dims(variable)[0]]
    expected = 100 * (INTERVAL[1] - INTERVAL[0])
    ax.plot(100 * found.covered_by_row, place, color=BLUE, lw=1.8, label="samples")
    ax.axvline(expected, color=BLACK, lw=1, ls="--", label=f"expected, {expected:.0f} %")
    ax.set(xlim=(0, 105), xlabel="share of the row's nodes (%)")
    _finish(ax, variable)
    ax.set_ylabel("")


def _finish(ax: Axes, variable: Variable) -> None:
    dim = space_dims(variable)[0]
    ax.set_ylabel(axis_label(variable, dim))
    format_ticks(ax.yaxis, variable.coord_units.get(dim, ""))
    ax.legend(loc="best")
    if points_down(dim) and not ax.yaxis_inverted():
        ax.invert_yaxis()
