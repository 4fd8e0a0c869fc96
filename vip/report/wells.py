"""Marginals of a section with depth, at wells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vip.pages.style import BLACK, ORANGE, Picture
from vip.protocols import Floats, Variable
from vip.report.findings import Findings
from vip.report.layout import (
    SPACING,
    WIDTH,
    Panel,
    axis_label,
    maps_of,
    name_of,
    panels,
    points_down,
    space_dims,
    titled,
    value_label,
)
from vip.report.maps import MASKED, colour_scale, draw_map
from vip.report.marginals import HALO, density

N_WELLS = 3
"""Number of wells where the forward names none."""
MAX_WELLS = 4
"""Largest number of wells in a figure."""


def profiles(findings: Findings) -> Iterator[Picture]:
    """Marginal density with depth, at the wells of the forward or at evenly spaced columns."""
    for variable in maps_of(findings.space):
        if not points_down(space_dims(variable)[0]):
            continue
        every = panels(findings.space, variable)
        chosen = columns(variable.coords[space_dims(variable)[1]], findings.wells)
        figure = Figure(figsize=(WIDTH + 0.6, 4.0 * len(every)), layout=ConstrainedLayoutEngine(w_pad=SPACING))
        parts: Any = figure.subfigures(len(every), squeeze=False)
        for part, panel in zip(parts[:, 0], every, strict=True):
            _draw_panel(part, findings, variable, panel, chosen)
        caption = "At the lines on the mean map. Densities of one depth add up to 1 over the velocities drawn."
        yield Picture(f"{variable.name}_wells", f"Marginals of {name_of(variable)} with depth", caption, figure)


def columns(place: Floats, wells: Floats | None) -> NDArray[np.intp]:
    """Columns of a map nearest to the wells, or evenly spaced ones; none of them twice.

    Examples
    --------
    >>> columns(np.arange(0.0, 90, 10), np.array([71.0, 12.0])).tolist(), columns(np.arange(9.0), None).tolist()
    ([1, 7], [2, 4, 6])
    """
    if wells is None:
        wells = np.quantile(place, np.arange(1, N_WELLS + 1) / (N_WELLS + 1))
    nearest = np.unique(np.abs(np.asarray(place) - np.asarray(wells)[:, None]).argmin(axis=1))
    chosen: NDArray[np.intp] = nearest[np.linspace(0, len(nearest) - 1, min(len(nearest), MAX_WELLS)).astype(int)]
    return chosen


def _draw_panel(part: Any, findings: Findings, variable: Variable, panel: Panel, chosen: NDArray[np.intp]) -> None:
    """Profiles side by side on one scale, and where they are."""
    *axes, where = part.subplots(1, len(chosen) + 1, width_ratios=[1] * len(chosen) + [1.5])
    edges, brightest = _scale(findings, panel, chosen)
    for ax, column in zip(axes, chosen, strict=True):
        mesh = _draw_profile(ax, findings, variable, panel, int(column), edges, brightest)
        ax.sharey(axes[0])
        ax.sharex(axes[0])
        ax.label_outer()
    axes[0].invert_yaxis()
    units = "" if variable.units == "1" else f" (per {variable.units})"
    part.colorbar(mesh, ax=axes, label=f"probability density{units}", extend="max", pad=0.02)
    mean = findings.shown(panel, findings.mean)
    draw_map(where, variable, mean, *colour_scale(variable, mean), None, titled("mean", panel))
    for place in variable.coords[space_dims(variable)[1]][chosen]:
        where.axvline(float(place), color=BLACK, lw=2)
    part.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)


def _scale(findings: Findings, panel: Panel, chosen: NDArray[np.intp]) -> tuple[Floats, float]:
    """Edges of the bins, and the density of the darkest colour, for all profiles of a panel."""
    free = findings.free(panel)[:, chosen]
    samples = panel.of(findings.flat)[..., chosen][:, free]
    lower, upper, _ = findings.prior_range(panel)
    bottom = min(lower[:, chosen][free].min(), samples.min())
    top = max(upper[:, chosen][free].max(), samples.max())
    edges = np.linspace(bottom, top, int(np.clip(4 * len(samples) ** (1 / 3), 16, 100)))
    image = density(samples, edges)
    return edges, float(np.quantile(image.max(axis=0), 0.9))


def _draw_profile(
    ax: Axes, findings: Findings, variable: Variable, panel: Panel, column: int, edges: Floats, brightest: float
) -> Any:
    rows, dim = space_dims(variable)
    depth, known = variable.coords[rows], ~findings.free(panel)[:, column]
    image = density(panel.of(findings.flat)[..., column], edges).T
    image = np.ma.masked_array(image, np.broadcast_to(known[:, None], image.shape))
    lower, upper, label = findings.prior_range(panel)
    middles = (edges[1:] + edges[:-1]) / 2
    mesh = ax.pcolormesh(
        middles, depth, image, cmap=cm.oslo_r.with_extremes(bad=MASKED), vmin=0, vmax=brightest, shading="nearest"
    )
    curves: list[tuple[Floats, dict[str, Any]]] = [
        (lower, {"color": BLACK, "lw": 1, "ls": ":", "label": label}),
        (upper, {"color": BLACK, "lw": 1, "ls": ":"}),
        (panel.of(findings.mean), {"color": ORANGE, "lw": 1.8, "label": "mean", "path_effects": HALO}),
    ]
    if findings.truth is not None:
        dashed = {"color": BLACK, "lw": 1.3, "ls": "--", "label": "truth", "path_effects": HALO}
        curves.append((panel.of(findings.truth), dashed))
    for values, how in curves:
        ax.plot(np.where(known, np.nan, values[:, column]), depth, **how)
    margin = 0.04 * (edges[-1] - edges[0])
    ax.set(xlim=(edges[0] - margin, edges[-1] + margin), xlabel=value_label(variable), ylabel=axis_label(variable, rows))
    units = variable.coord_units.get(dim, "")
    ax.set_title(f"{dim} = {variable.coords[dim][column]:g} {units}".strip())
    ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    return mesh
