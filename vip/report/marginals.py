"""Marginals: along a profile through a map, of a line, of single numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vip.protocols import Floats, Variable
from vip.report.findings import Findings
from vip.report.layout import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    Panel,
    Picture,
    axis_label,
    format_ticks,
    kind,
    name_of,
    panels,
    points_down,
    space_dims,
    titled,
    value_label,
)
from vip.report.maps import draw_map, velocity_scale


def profiles(findings: Findings) -> Iterator[Picture]:
    """Marginal density of each map along one of its rows."""
    for variable in findings.space.variables:
        if kind(variable) != "maps":
            continue
        every = list(panels(variable))
        figure = Figure(figsize=(WIDTH + 0.6, 3.2 * len(every)), layout="constrained")
        axes = figure.subplots(len(every), 2, squeeze=False, width_ratios=[3, 1])
        row = _best_row(findings, variable)
        for (ax, map_ax), panel in zip(axes, every, strict=True):
            _draw_density(figure, ax, findings, variable, panel, row)
            _draw_where(map_ax, findings, variable, panel, row)
        best = "with most rays" if _has_coverage(findings, variable) else "in the middle"
        caption = f"Along the row {best}, drawn on the mean map at the right."
        yield Picture(f"{variable.name}_profile", f"Marginals of {name_of(variable)} on a profile", caption, figure)


def lines(findings: Findings) -> Iterator[Picture]:
    """Mean and 5-95 % range of each variable with one dimension, or of the entries of one that has no other picture."""
    for variable in findings.space.variables:
        if kind(variable) not in ("lines", "entries"):
            continue
        every = [Panel((), "")] if kind(variable) == "entries" else list(panels(variable))
        columns = min(len(every), 3)
        rows = -(-len(every) // columns)
        figure = Figure(figsize=(min(WIDTH, 6.0 * columns), 3.6 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for ax, panel in zip(axes.flat, every, strict=False):
            _draw_line(ax, findings, variable, panel)
        for ax in axes.flat[len(every) :]:
            ax.remove()
        axes.flat[0].legend()
        yield Picture(variable.name, f"{name_of(variable)}", "Mean and 5–95 % range of the samples.", figure)


def numbers(findings: Findings) -> Iterator[Picture]:
    """Histogram of each variable that is a single number, or one for each period."""
    for variable in findings.space.variables:
        if kind(variable) != "numbers":
            continue
        every = list(panels(variable))
        columns = min(len(every), 3)
        rows = -(-len(every) // columns)
        figure = Figure(figsize=(max(4.5, WIDTH * columns / 3), 2.8 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for ax, panel in zip(axes.flat, every, strict=False):
            _draw_histogram(ax, findings, variable, panel)
        for ax in axes.flat[len(every) :]:
            ax.remove()
        axes.flat[0].legend()
        yield Picture(variable.name, f"{name_of(variable)}", "Prior and posterior.", figure)


def density(values: Floats, edges: Floats) -> Floats:
    """Histograms (bins, m) of the columns of values (n, m).

    Examples
    --------
    >>> density(np.array([[0.5], [1.5], [1.6], [1.7]]), np.array([0.0, 1.0, 2.0])).ravel().tolist()
    [0.25, 0.75]
    """
    return np.stack([np.histogram(column, edges, density=True)[0] for column in values.T], axis=1)


def _draw_density(
    figure: Figure, ax: Axes, findings: Findings, variable: Variable, panel: Panel, row: int
) -> None:
    _, dim = space_dims(variable)
    place, at = variable.coords[dim], (..., *panel.index, row, slice(None))
    samples = findings.of(variable, findings.flat)[at]
    low, high, label = findings.prior_range(variable)
    low, high = low[at], high[at]
    bottom, top = min(low.min(), samples.min()), max(high.max(), samples.max())
    edges = np.linspace(bottom, top, int(np.clip(4 * len(samples) ** (1 / 3), 16, 100)))
    image = density(samples, edges)
    centres = (edges[1:] + edges[:-1]) / 2
    mesh = ax.pcolormesh(place, centres, image, cmap=cm.oslo_r, vmin=0, vmax=np.quantile(image, 0.995), shading="nearest")
    ax.plot(place, findings.of(variable, findings.mean)[at], color=ORANGE, lw=1.8, label="mean")
    if findings.truth is not None:
        ax.plot(place, findings.of(variable, findings.truth)[at], color=BLACK, lw=1.5, ls="--", label="truth")
    for bound, text in ((low, label), (high, None)):
        ax.plot(place, bound, color=GREY, lw=1.2, ls=":", label=text)
    margin = 0.04 * (top - bottom)
    ax.set(ylim=(bottom - margin, top + margin), xlabel=axis_label(variable, dim), ylabel=value_label(variable))
    ax.set_title(titled("marginal density", panel))
    format_ticks(ax.xaxis, variable.coord_units.get(dim, ""))
    ax.legend(loc="upper right", ncols=3)
    units = "" if variable.units == "1" else f" (1 / ({variable.units}))"
    figure.colorbar(mesh, ax=ax, label=f"probability density{units}", extend="max", pad=0.01)


def _draw_where(ax: Axes, findings: Findings, variable: Variable, panel: Panel, row: int) -> None:
    """The profile on the mean map."""
    mean = findings.of(variable, findings.mean)[panel.index]
    draw_map(ax, variable, mean, *velocity_scale(variable, mean), None, titled("profile", panel))
    rows, _ = space_dims(variable)
    ax.axhline(float(variable.coords[rows][row]), color=BLACK, lw=2)


def _draw_line(ax: Axes, findings: Findings, variable: Variable, panel: Panel) -> None:
    """Over the coordinate, or over the number of the entry; depth points down."""
    numbered = kind(variable) == "entries"
    dim = "entry" if numbered else space_dims(variable)[0]
    place = np.arange(variable.size) if numbered else variable.coords[dim]

    def part(models: Floats) -> Floats:
        values = findings.of(variable, models)
        return values.reshape((*models.shape[:-1], -1)) if numbered else values[(..., *panel.index, slice(None))]

    low, high = np.quantile(part(findings.flat), [0.05, 0.95], axis=0)
    prior_low, prior_high, label = findings.prior_range(variable)
    curves: list[tuple[Floats, dict[str, Any]]] = [
        (part(findings.mean), {"color": BLUE, "lw": 1.8, "label": "mean"}),
        (prior_low.reshape(-1) if numbered else prior_low[panel.index], {"color": GREY, "ls": ":", "label": label}),
        (prior_high.reshape(-1) if numbered else prior_high[panel.index], {"color": GREY, "ls": ":"}),
    ]
    if findings.truth is not None:
        curves.append((part(findings.truth), {"color": BLACK, "ls": "--", "label": "truth"}))
    down = points_down(dim)
    fill = ax.fill_betweenx if down else ax.fill_between
    fill(place, low, high, color=BLUE, alpha=0.25, lw=0, label="5–95 %")
    for values, how in curves:
        ax.plot(values, place, **how) if down else ax.plot(place, values, **how)
    ax.set(title=panel.label, xlabel=axis_label(variable, dim), ylabel=value_label(variable))
    if down:
        ax.set(xlabel=value_label(variable), ylabel=axis_label(variable, dim))
        ax.invert_yaxis()


def _draw_histogram(ax: Axes, findings: Findings, variable: Variable, panel: Panel) -> None:
    prior, posterior = (findings.of(variable, models)[(..., *panel.index)] for models in (findings.prior, findings.flat))
    edges = np.histogram_bin_edges(np.concatenate([prior, posterior]), 50)
    ax.hist(prior, edges, density=True, histtype="step", color=GREY, lw=1.5, label="prior")
    ax.hist(posterior, edges, density=True, color=BLUE, alpha=0.7, label="posterior")
    if findings.truth is not None:
        ax.axvline(float(findings.of(variable, findings.truth)[panel.index]), color=BLACK, ls="--", label="truth")
    ax.set(title=panel.label, xlabel=value_label(variable), ylabel="probability density")


def _has_coverage(findings: Findings, variable: Variable) -> bool:
    return findings.coverage is not None and variable is findings.space.variables[0]


def _best_row(findings: Findings, variable: Variable) -> int:
    rows, _ = space_dims(variable)
    if findings.coverage is None or not _has_coverage(findings, variable):
        return len(variable.coords[rows]) // 2
    return int(np.argmax(findings.coverage.reshape(-1, *variable.shape[-2:]).sum(axis=(0, 2))))
