"""Marginal densities: along a profile through a map, of a line, of single numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from vip.pages.style import BLACK, BLUE, GREY, ORANGE, Picture
from vip.protocols import Floats, Variable
from vip.report.findings import Findings
from vip.report.layout import (
    WIDTH,
    Panel,
    axis_label,
    format_ticks,
    kind,
    maps_of,
    name_of,
    panels,
    points_down,
    space_dims,
    value_label,
)
from vip.report.maps import CONTRACTION, colour_scale, draw_map

HALO = [withStroke(linewidth=3, foreground="white")]
"""Outline of lines on an image."""


def profiles(findings: Findings) -> Iterator[Picture]:
    """Marginal density of each map along one of its rows; `wells` draws those with depth."""
    for variable in maps_of(findings.space):
        if points_down(space_dims(variable)[0]):
            continue
        every = panels(findings.space, variable)
        figure = Figure(figsize=(WIDTH + 0.6, 3.2 * len(every)), layout="constrained")
        axes = figure.subplots(len(every), 2, squeeze=False, width_ratios=[3, 1])
        coverage = findings.coverage if variable is findings.space.variables[0] else None
        for (ax, map_ax), panel in zip(axes, every, strict=True):
            row = panel.shape[0] // 2 if coverage is None else int(np.argmax(panel.of(coverage).sum(axis=1)))
            _draw_density(figure, ax, findings, variable, panel, row)
            _draw_where(map_ax, findings, variable, panel, row)
        which = "in the middle" if coverage is None else "with most rays"
        caption = f"Along the row {which}, drawn on the mean map at the right."
        yield Picture(f"{variable.name}_profile", f"Marginals of {name_of(variable)} on a profile", caption, figure)


def lines(findings: Findings) -> Iterator[Picture]:
    """Mean and 5-95 % range of each variable with one dimension, or of the entries of one that has no other picture."""
    for variable in findings.space.variables:
        if kind(variable) in ("lines", "entries"):
            figure = _small_panels(findings, variable, _draw_line)
            yield Picture(variable.name, f"Marginals of {name_of(variable)}", "Mean and 5–95 % range of the samples.", figure)


def contraction(findings: Findings) -> Iterator[Picture]:
    """Contraction of the prior by the data, along each variable with one dimension."""
    for variable in findings.space.variables:
        if kind(variable) == "lines":
            figure = _small_panels(findings, variable, _draw_contraction)
            yield Picture(f"{variable.name}_contraction", f"What the data say of {name_of(variable)}", CONTRACTION, figure)


def numbers(findings: Findings) -> Iterator[Picture]:
    """Histogram of each variable that is a single number, or one for each period."""
    for variable in findings.space.variables:
        if kind(variable) == "numbers":
            figure = _small_panels(findings, variable, _draw_histogram)
            yield Picture(variable.name, f"Marginals of {name_of(variable)}", "Histograms of prior and posterior.", figure)


def density(values: Floats, edges: Floats) -> Floats:
    """Histograms (bins, m) of the columns of values (n, m).

    Examples
    --------
    >>> density(np.array([[0.5], [1.5], [1.6], [1.7]]), np.array([0.0, 1.0, 2.0])).ravel().tolist()
    [0.25, 0.75]
    """
    return np.stack([np.histogram(column, edges, density=True)[0] for column in values.T], axis=1)


def _draw_density(figure: Figure, ax: Axes, findings: Findings, variable: Variable, panel: Panel, row: int) -> None:
    _, dim = space_dims(variable)
    place = variable.coords[dim]
    samples = panel.of(findings.flat)[:, row]
    lower, upper, label = findings.prior_range(panel)
    bottom, top = min(lower[row].min(), samples.min()), max(upper[row].max(), samples.max())
    edges = np.linspace(bottom, top, int(np.clip(4 * len(samples) ** (1 / 3), 16, 100)))
    image = density(samples, edges)
    brightest = np.quantile(image[image > 0], 0.995)
    mesh = ax.pcolormesh(place, (edges[1:] + edges[:-1]) / 2, image, cmap=cm.oslo_r, vmin=0, vmax=brightest, shading="nearest")
    ax.plot(place, panel.of(findings.mean)[row], color=ORANGE, lw=1.8, label="mean", path_effects=HALO)
    if findings.truth is not None:
        truth = panel.of(findings.truth)[row]
        ax.plot(place, truth, color=BLACK, lw=1.5, ls="--", label="truth", path_effects=HALO)
    ax.plot(place, lower[row], color=BLACK, lw=1, ls=":", label=label)
    ax.plot(place, upper[row], color=BLACK, lw=1, ls=":")
    margin = 0.04 * (top - bottom)
    ax.set(ylim=(bottom - margin, top + margin), xlabel=axis_label(variable, dim), ylabel=value_label(variable))
    ax.set_title(panel.label, loc="left")
    format_ticks(ax.xaxis, variable.coord_units.get(dim, ""))
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2)
    units = "" if variable.units == "1" else f" (per {variable.units})"
    figure.colorbar(mesh, ax=ax, label=f"probability density{units}", extend="max", pad=0.01)


def _draw_where(ax: Axes, findings: Findings, variable: Variable, panel: Panel, row: int) -> None:
    """The profile on the mean map."""
    mean = findings.shown(panel, findings.mean)
    draw_map(ax, variable, mean, *colour_scale(variable, mean), None, "")
    rows, _ = space_dims(variable)
    ax.axhline(float(variable.coords[rows][row]), color=BLACK, lw=2)


def _small_panels(findings: Findings, variable: Variable, draw: Callable[[Axes, Findings, Variable, Panel], None]) -> Figure:
    """A figure with up to three panels a row, and one legend."""
    every = panels(findings.space, variable)
    columns = min(len(every), 3)
    rows = -(-len(every) // columns)
    figure = Figure(figsize=(min(WIDTH, 5.0 * columns), 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax, panel in zip(axes.flat, every, strict=False):
        draw(ax, findings, variable, panel)
        ax.set_title(panel.label)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper right", ncols=4)
    for ax in axes.flat[len(every) :]:
        ax.remove()
    return figure


def _draw_line(ax: Axes, findings: Findings, variable: Variable, panel: Panel) -> None:
    """Draw a line over its coordinate, or over the number of the entry; depth points down."""
    numbered = kind(variable) == "entries"
    dim = "entry" if numbered else space_dims(variable)[0]
    place = np.arange(variable.size) if numbered else variable.coords[dim]
    low, high = np.quantile(panel.of(findings.flat), [0.05, 0.95], axis=0)
    lower, upper, label = findings.prior_range(panel)
    curves: list[tuple[Floats, dict[str, Any]]] = [
        (panel.of(findings.mean), {"color": BLUE, "lw": 1.8, "label": "mean"}),
        (lower, {"color": GREY, "ls": ":", "label": label}),
        (upper, {"color": GREY, "ls": ":"}),
    ]
    if findings.truth is not None:
        curves.append((panel.of(findings.truth), {"color": BLACK, "ls": "--", "label": "truth"}))
    down = points_down(dim)
    (ax.fill_betweenx if down else ax.fill_between)(place, low, high, color=BLUE, alpha=0.25, lw=0, label="5–95 %")
    for values, how in curves:
        ax.plot(*((values, place) if down else (place, values)), **how)
    labels = axis_label(variable, dim), value_label(variable)
    ax.set_xlabel(labels[down])
    ax.set_ylabel(labels[not down])
    if down:
        ax.invert_yaxis()


def _draw_contraction(ax: Axes, findings: Findings, variable: Variable, panel: Panel) -> None:
    dim = space_dims(variable)[0]
    place, values, down = variable.coords[dim], findings.contraction(panel), points_down(dim)
    ax.plot(*((values, place) if down else (place, values)), color=BLUE, lw=1.8, label="1 − var(posterior) / var(prior)")
    labels = axis_label(variable, dim), "contraction"
    ax.set_xlabel(labels[down])
    ax.set_ylabel(labels[not down])
    (ax.set_xlim if down else ax.set_ylim)(min(0, values.min()), 1)
    if down:
        ax.invert_yaxis()


def _draw_histogram(ax: Axes, findings: Findings, variable: Variable, panel: Panel) -> None:
    prior, posterior = panel.of(findings.prior), panel.of(findings.flat)
    ax.hist(posterior, "auto", density=True, color=BLUE, alpha=0.7, label="posterior")
    ax.hist(prior, "auto", density=True, histtype="step", color=BLACK, lw=1.2, label="prior")
    if findings.truth is not None:
        ax.axvline(float(panel.of(findings.truth)), color=ORANGE, ls="--", lw=1.8, label="truth")
    ax.set(xlabel=value_label(variable), ylabel="probability density")
