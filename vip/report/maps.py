"""Maps: mean and standard deviation, contraction, samples, coverage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator, StrMethodFormatter

from vip.earth import KM_PER_DEGREE
from vip.pages.style import Picture
from vip.protocols import Floats, Variable
from vip.report.findings import N_PRIOR, Findings
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
    titled,
    value_label,
    with_units,
)

MASKED = "0.85"
N_SHOWN = 4
"""Number of samples in a figure."""
CONTRACTION = (
    "Share of the prior's variance that the data have removed: 0 where the posterior is the prior, 1 where nothing is left "
    f"uncertain. Where data say nothing it should be near 0: if not, the samples are too narrow. "
    f"The prior's variance is that of {N_PRIOR} models, and off by {np.sqrt(2 / N_PRIOR):.0%} by chance."
)
"""Caption of figures of contraction."""
OUTLIERS = 0.01
"""Share of values at either end that a colour scale may leave out."""
WIDE = 0.6
"""Height over width below which maps are laid out in pairs, with colour bars below."""
PAIR = 2


def moments(findings: Findings) -> Iterator[Picture]:
    """Mean and standard deviation of each map, after the truth where it is known; a model of the start makes two pairs."""
    for variable in maps_of(findings.space):
        models = {"mean": findings.mean}
        if findings.truth is not None:
            models = {"truth": findings.truth, **({"start": findings.start} if _in_pairs(variable) else {}), **models}
        every = panels(findings.space, variable)
        figure, axes = _grid(variable, len(every), len(models) + 1)
        for block, panel in zip(axes, every, strict=True):
            shown = {titled(title, panel): findings.shown(panel, model) for title, model in models.items()}
            # A rough start would leave truth and mean only the middle of the colours.
            found = [findings.shown(panel, model) for title, model in models.items() if title != "start"]
            draw_block(figure, block[:-1], variable, shown, colour_scale(variable, *found), findings.stations)
            _draw_std(figure, block[-1], findings, variable, panel)
        title = f"{', '.join(models)} and standard deviation of {name_of(variable)}"
        yield Picture(
            f"{variable.name}_mean_std", title[0].upper() + title[1:], _moments_caption(findings, variable, models), figure
        )


def samples(findings: Findings) -> Iterator[Picture]:
    """A few samples of each map."""
    chosen = findings.flat[np.linspace(0, len(findings.flat) - 1, N_SHOWN).astype(int)]
    for variable in maps_of(findings.space):
        every = panels(findings.space, variable)
        figure, axes = _grid(variable, len(every), N_SHOWN)
        for block, panel in zip(axes, every, strict=True):
            shown = {titled(f"sample {i + 1}", panel): values for i, values in enumerate(findings.shown(panel, chosen))}
            draw_block(figure, block, variable, shown, colour_scale(variable, *shown.values()), None)
        caption = "Features that all of them share are constrained; the rest is uncertainty."
        yield Picture(f"{variable.name}_samples", f"Samples of {name_of(variable)}", caption, figure)


def contraction(findings: Findings) -> Iterator[Picture]:
    """Contraction of the prior by the data, at each node of each map."""
    for variable in maps_of(findings.space):
        every = panels(findings.space, variable)
        columns = min(len(every), 3)
        figure, axes = _grid(variable, -(-len(every) // columns), columns)
        norm = Normalize(0, 1)
        for ax, panel in zip(axes.flat, every, strict=False):
            mesh = draw_map(ax, variable, findings.contraction(panel), norm, cm.devon_r, findings.stations, panel.label)
        for ax in axes.flat[len(every) :]:
            ax.remove()
        _draw_colour_bar(figure, mesh, axes, variable, "1 − var(posterior) / var(prior)", "min")
        yield Picture(f"{variable.name}_contraction", f"What the data say of {name_of(variable)}", CONTRACTION, figure)


def coverage(findings: Findings) -> Iterator[Picture]:
    """Length of rays near each node of the first variable."""
    variable = findings.space.variables[0]
    if kind(variable) != "maps" or findings.coverage is None or not findings.coverage.any():
        return
    every = panels(findings.space, variable)
    columns = min(len(every), 3)
    figure, axes = _grid(variable, -(-len(every) // columns), columns)
    low, high = np.quantile(findings.coverage[findings.coverage > 0], [0.05, 1])
    norm = LogNorm(low, max(high, 1.01 * low))
    for ax, panel in zip(axes.flat, every, strict=False):
        lengths = np.ma.masked_less_equal(panel.of(findings.coverage), 0)
        mesh = draw_map(ax, variable, lengths, norm, cm.lapaz_r, findings.stations, panel.label)
    for ax in axes.flat[len(every) :]:
        ax.remove()
    bar = _draw_colour_bar(figure, mesh, axes, variable, "length of rays per node (km)", "min")
    bar.locator, bar.formatter = LogLocator(subs=(1, 2, 5)), StrMethodFormatter("{x:g}")
    bar.minorticks_off()
    yield Picture("coverage", "Ray coverage", "In the mean model, on a logarithmic scale. Grey: no rays.", figure)


def draw_map(
    ax: Axes, variable: Variable, values: Any, norm: Normalize, colours: Any, stations: Floats | None, title: str
) -> Any:
    """Draw values (rows, columns) of a variable, grey where masked; returns what a colour bar needs."""
    rows, columns = space_dims(variable)
    y, x = variable.coords[rows], variable.coords[columns]
    mesh = ax.pcolormesh(x, y, values, norm=norm, cmap=colours, shading="nearest")
    if stations is not None:
        ax.plot(stations[:, 1], stations[:, 0], "^", color="black", ms=3.5, mec="white", mew=0.4)
    ax.set(title=title, xlabel=axis_label(variable, columns), ylabel=axis_label(variable, rows))
    row_units, column_units = (variable.coord_units.get(dim, "") for dim in (rows, columns))
    format_ticks(ax.yaxis, row_units)
    format_ticks(ax.xaxis, column_units)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set_aspect(_aspect(variable))
    ax.set_facecolor(MASKED)
    ax.spines[["top", "right"]].set_visible(True)
    if points_down(rows) and not ax.yaxis_inverted():
        ax.invert_yaxis()
    return mesh


def colour_scale(variable: Variable, *maps: Any) -> tuple[Normalize, Any]:
    """One colour scale for maps that are compared; of velocities, slow is brown and fast is blue."""
    low, high = np.quantile(np.concatenate([np.ma.compressed(m) for m in maps]), [OUTLIERS, 1 - OUTLIERS])
    return Normalize(low, high), cm.roma if variable.units.endswith("/s") else cm.batlow


def _moments_caption(findings: Findings, variable: Variable, models: dict[str, Floats]) -> str:
    every = panels(findings.space, variable)
    prior = f"{_prior_std(findings, every):.3g} {variable.units}".removesuffix(" 1")
    parts = [
        "Start: one of the models that the run began with." if "start" in models else "",
        "Triangles: stations." if findings.stations is not None else "",
        "Grey: known beforehand." if not all(findings.free(panel).all() for panel in every) else "",
        f"Black line on the colour bar of the standard deviation, if in its range: the prior's, {prior}.",
    ]
    return " ".join(part for part in parts if part)


def draw_block(
    figure: Figure,
    axes: Any,
    variable: Variable,
    maps: dict[str, Any],
    scale: tuple[Normalize, Any],
    stations: Floats | None,
    label: str = "",
) -> None:
    """Maps by title with one colour bar: below the last one where another map completes its pair.

    Without a label, the bar has the name of the variable's values.
    """
    norm, colours = scale
    for ax, (title, values) in zip(axes, maps.items(), strict=True):
        mesh = draw_map(ax, variable, values, norm, colours, stations, title)
        ax.label_outer()
    _draw_scale_bar(axes[0], variable)
    beside = axes[-1:] if _in_pairs(variable) and len(axes) % PAIR else axes
    _draw_colour_bar(figure, mesh, beside, variable, label or value_label(variable), _extend(norm, *maps.values()))


def _draw_std(figure: Figure, ax: Axes, findings: Findings, variable: Variable, panel: Panel) -> None:
    std = findings.shown(panel, findings.std)
    norm = Normalize(*np.quantile(std.compressed(), [OUTLIERS, 1 - OUTLIERS]))
    mesh = draw_map(ax, variable, std, norm, cm.acton_r, findings.stations, titled("standard deviation", panel))
    ax.label_outer()
    label = with_units("standard deviation", variable.units)
    bar = _draw_colour_bar(figure, mesh, ax, variable, label, _extend(norm, std))
    mark = bar.ax.axhline if bar.orientation == "vertical" else bar.ax.axvline
    mark(_prior_std(findings, [panel]), color="black", lw=2)


def _prior_std(findings: Findings, every: list[Panel]) -> float:
    """Median standard deviation of the prior."""
    return float(np.median(np.concatenate([panel.of(findings.prior).std(axis=0)[findings.free(panel)] for panel in every])))


def _draw_colour_bar(figure: Figure, mesh: Any, axes: Any, variable: Variable, label: str, extend: str) -> Any:
    """Draw a colour bar at the right, or below where maps are too wide to leave it a height."""
    if _in_pairs(variable):
        return figure.colorbar(
            mesh, ax=axes, label=label, extend=extend, location="bottom", shrink=0.7, aspect=25 * np.size(axes)
        )
    return figure.colorbar(mesh, ax=axes, label=label, extend=extend, pad=0.02)


def _grid(variable: Variable, n: int, maps: int) -> tuple[Figure, Any]:
    """A figure for n blocks of maps, and its axes (n, maps): a row for each block, or pairs where maps are wide."""
    pairs = _in_pairs(variable)
    columns = min(maps, PAIR) if pairs else maps
    rows = n * -(-maps // columns)
    shape, width = shape_of(variable), min(WIDTH / columns, 4.2 if pairs else 3.2)
    size = (columns * width + 0.6, rows * (0.8 * width * shape + (0.9 if pairs else 0.6)) + 0.7 * n * pairs)
    figure = Figure(figsize=size, layout="compressed")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).reshape(n, -1)


def _in_pairs(variable: Variable) -> bool:
    return shape_of(variable) < WIDE


def shape_of(variable: Variable) -> float:
    """Height over width of a map."""
    y, x = (variable.coords[dim] for dim in space_dims(variable))
    aspect = _aspect(variable)
    return 0.6 if aspect == "auto" else float(np.clip(np.ptp(y) / max(np.ptp(x), 1e-30) * aspect, 0.2, 2))


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
    longest = np.ptp(columns) * km_per_degree / 3
    km = max(step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5) if step * 10.0**power <= longest)
    east, south = columns.max() - 0.05 * np.ptp(columns), rows.min() + 0.03 * np.ptp(rows)
    west = east - km / km_per_degree
    halo = [withStroke(linewidth=3, foreground="white")]
    ax.plot([west, east], [south, south], color="black", lw=2, path_effects=halo)
    ax.text((west + east) / 2, south, f"{km:g} km", ha="center", va="bottom", size=8, path_effects=halo)


def _extend(norm: Normalize, *maps: Any) -> str:
    below = any(m.min() < norm.vmin for m in maps)
    above = any(m.max() > norm.vmax for m in maps)
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
