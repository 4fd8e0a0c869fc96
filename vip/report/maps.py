"""Maps: mean and standard deviation, samples, coverage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from vip.priors import KM_PER_DEGREE
from vip.protocols import Floats, Variable
from vip.report.findings import Findings
from vip.report.layout import (
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

N_SHOWN = 4
"""Samples in a figure."""
OUTLIERS = 0.01
"""Share of values at either end that a colour scale may leave out."""


def moments(findings: Findings) -> Iterator[Picture]:
    """Mean and standard deviation of each map, after the truth where it is known."""
    for variable in _maps(findings):
        mean, std = findings.of(variable, findings.mean), findings.of(variable, findings.std)
        prior_std = findings.of(variable, findings.prior).std(axis=0)
        truth = None if findings.truth is None else findings.of(variable, findings.truth)
        compared = {"mean": mean} if truth is None else {"truth": truth, "mean": mean}
        figure, axes = _grid(variable, len(list(panels(variable))), len(compared) + 1)
        for row, panel in zip(axes, panels(variable), strict=True):
            shown = {title: values[panel.index] for title, values in compared.items()}
            _draw_row(figure, row[:-1], variable, panel, shown, findings.stations)
            _draw_std(figure, row[-1], variable, panel, std[panel.index], prior_std[panel.index], findings.stations)
        names = "Truth, mean and standard deviation" if truth is not None else "Mean and standard deviation"
        caption = "Triangles: stations. " if findings.stations is not None else ""
        caption += "The line on the right colour bar is the prior's standard deviation: there, data say nothing."
        yield Picture(f"{variable.name}_mean_std", f"{names} of {name_of(variable)}", caption, figure)


def samples(findings: Findings) -> Iterator[Picture]:
    """A few samples of each map: each of them explains the data."""
    chosen = findings.flat[np.linspace(0, len(findings.flat) - 1, N_SHOWN).astype(int)]
    for variable in _maps(findings):
        values = findings.of(variable, chosen)
        figure, axes = _grid(variable, len(list(panels(variable))), N_SHOWN)
        for row, panel in zip(axes, panels(variable), strict=True):
            shown = {f"sample {i + 1}": value[panel.index] for i, value in enumerate(values)}
            _draw_row(figure, row, variable, panel, shown, None)
        caption = "What they share is constrained by the data; what differs is not."
        yield Picture(f"{variable.name}_samples", f"Samples of {name_of(variable)}", caption, figure)


def coverage(findings: Findings) -> Iterator[Picture]:
    """Length of rays near each node of the first variable."""
    variable = findings.space.variables[0]
    if kind(variable) != "maps" or findings.coverage is None:
        return
    n = len(list(panels(variable)))
    columns = min(n, 3)
    figure, axes = _grid(variable, -(-n // columns), columns)
    hit = findings.coverage[findings.coverage > 0]
    low, high = np.quantile(hit, [0.05, 1]) if len(hit) else (1.0, 10.0)
    norm = LogNorm(low, max(high, 1.01 * low))
    for ax, panel in zip(axes.flat, panels(variable), strict=False):
        values = np.ma.masked_less_equal(findings.coverage[panel.index], 0)
        mesh = draw_map(ax, variable, values, norm, cm.lapaz_r, findings.stations, titled("coverage", panel))
    for ax in axes.flat[n:]:
        ax.remove()
    bar = figure.colorbar(mesh, ax=axes, label="length of rays per node (km)", extend="min", format="{x:g}", pad=0.02)
    bar.minorticks_off()
    yield Picture("coverage", "Ray coverage", "In the mean model, on a logarithmic scale. White: no rays.", figure)


def draw_map(
    ax: Axes, variable: Variable, values: Any, norm: Normalize, colours: Any, stations: Floats | None, title: str
) -> Any:
    """Draw values (rows, columns) of a variable; returns what a colour bar needs."""
    rows, columns = space_dims(variable)
    y, x = variable.coords[rows], variable.coords[columns]
    mesh = ax.pcolormesh(x, y, values, norm=norm, cmap=colours, shading="nearest")
    if stations is not None:
        ax.plot(stations[:, 1], stations[:, 0], "^", color="black", ms=3.5, mec="white", mew=0.4)
    ax.set(title=title, xlabel=axis_label(variable, columns), ylabel=axis_label(variable, rows))
    row_units, column_units = (variable.coord_units.get(dim, "") for dim in (rows, columns))
    format_ticks(ax.yaxis, row_units)
    format_ticks(ax.xaxis, column_units)
    ax.set_aspect(_aspect(variable))
    ax.spines[["top", "right"]].set_visible(True)
    if points_down(rows) and not ax.yaxis_inverted():
        ax.invert_yaxis()
    return mesh


def velocity_scale(variable: Variable, *maps: Floats) -> tuple[Normalize, Any]:
    """One colour scale for maps that are compared: slow is red, fast is blue and the median is pale."""
    values = np.concatenate([m.ravel() for m in maps])
    low, middle, high = np.quantile(values, [OUTLIERS, 0.5, 1 - OUTLIERS])
    if not variable.units.endswith("/s"):
        return Normalize(low, high), cm.batlow
    reach = max(high - middle, middle - low)
    return Normalize(middle - reach, middle + reach), cm.roma


def _maps(findings: Findings) -> list[Variable]:
    return [variable for variable in findings.space.variables if kind(variable) == "maps"]


def _draw_row(
    figure: Figure,
    axes: Any,
    variable: Variable,
    panel: Panel,
    maps: dict[str, Floats],
    stations: Floats | None,
) -> None:
    """Maps side by side with one colour bar."""
    norm, colours = velocity_scale(variable, *maps.values())
    for ax, (title, values) in zip(axes, maps.items(), strict=True):
        mesh = draw_map(ax, variable, values, norm, colours, stations, titled(title, panel))
        ax.label_outer()
    _draw_scale_bar(axes[0], variable)
    figure.colorbar(mesh, ax=axes, label=value_label(variable), extend=_extend(norm, *maps.values()), pad=0.02)


def _draw_std(
    figure: Figure,
    ax: Axes,
    variable: Variable,
    panel: Panel,
    std: Floats,
    prior_std: Floats,
    stations: Floats | None,
) -> None:
    norm = Normalize(*np.quantile(std, [OUTLIERS, 1 - OUTLIERS]))
    mesh = draw_map(ax, variable, std, norm, cm.lajolla, stations, titled("standard deviation", panel))
    ax.label_outer()
    bar = figure.colorbar(mesh, ax=ax, label=value_label(variable), extend=_extend(norm, std), pad=0.04)
    bar.ax.axhline(float(np.median(prior_std)), color="black", lw=2)


def _grid(variable: Variable, rows: int, columns: int) -> tuple[Figure, Any]:
    """A figure whose panels have the shape of the map."""
    y, x = (variable.coords[dim] for dim in space_dims(variable))
    aspect = _aspect(variable)
    shape = 0.6 if aspect == "auto" else float(np.clip(np.ptp(y) / max(np.ptp(x), 1e-30) * aspect, 0.3, 2))
    width = min(WIDTH / columns, 4.0)
    figure = Figure(figsize=(columns * width + 0.6, rows * (0.8 * width * shape + 0.6)), layout="compressed")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)


def _aspect(variable: Variable) -> Any:
    """Height over width of one unit of both coordinates."""
    rows, columns = space_dims(variable)
    row_units, column_units = (variable.coord_units.get(dim, "") for dim in (rows, columns))
    if _is_geographic(variable):
        return 1 / np.cos(np.radians(np.mean(variable.coords[rows])))
    return 1.0 if row_units == column_units else "auto"


def _is_geographic(variable: Variable) -> bool:
    return variable.coord_units.get(space_dims(variable)[0]) == "degrees_north"


def _draw_scale_bar(ax: Axes, variable: Variable) -> None:
    """Kilometres, where the axes are in degrees."""
    if not _is_geographic(variable):
        return
    rows, columns = (variable.coords[dim] for dim in space_dims(variable))
    km_per_degree = KM_PER_DEGREE * np.cos(np.radians(np.mean(rows)))
    quarter = np.ptp(columns) * km_per_degree / 4
    km = max(step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5) if step * 10.0**power <= quarter)
    bar = AnchoredSizeBar(
        ax.transData, km / km_per_degree, f"{km:g} km", "lower right", borderpad=0.3, sep=3, fontproperties={"size": 8}
    )
    bar.patch.set(alpha=0.8, lw=0)
    ax.add_artist(bar)


def _extend(norm: Normalize, *maps: Floats) -> str:
    below = any(m.min() < norm.vmin for m in maps)
    above = any(m.max() > norm.vmax for m in maps)
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
