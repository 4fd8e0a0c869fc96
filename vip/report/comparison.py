"""Figures of several runs beside each other, to compare methods, priors or noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cmcrameri import cm
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from vip.errors import ConfigError
from vip.protocols import Variable
from vip.report.findings import Findings
from vip.report.layout import maps_of, panels, titled, value_label, with_units
from vip.report.maps import colour_scale, draw_block, shape_of
from vip.runs.result import Result

WIDTH = 2.5
"""Width of a map, inches."""


def comparison(results: Sequence[Result], titles: Sequence[str]) -> Figure:
    """Draw mean and standard deviation of each map of some runs, each kind with one colour scale.

    Parameters
    ----------
    results : sequence of Result
        Runs whose models have the same maps; other variables, like the scale of the noise, may differ.
    titles : sequence of str
        One for each run, all different.

    Returns
    -------
    Figure
        A row of means and a row of standard deviations for each map, a column for each run.

    Raises
    ------
    ConfigError
        If there is no map, or the runs do not have the same.
    """
    found = [Findings(result) for result in results]
    variables = maps_of(found[0].space)
    if not variables:
        raise ConfigError("compare", found[0].result.path, "its models have no maps; look at the reports instead")
    for other in found[1:]:
        _check_alike(variables, found[0], other)
    rows = [(variable, number) for variable in variables for number in range(len(panels(found[0].space, variable)))]
    heights = [0.85 * WIDTH * shape_of(variable) + 0.45 for variable, _ in rows for _ in range(2)]
    figure = Figure(figsize=(WIDTH * len(found) + 1, sum(heights)), layout="compressed")
    axes = figure.subplots(2 * len(rows), len(found), squeeze=False, height_ratios=heights)
    for row, (variable, number) in enumerate(rows):
        _draw(figure, axes[2 * row : 2 * row + 2], variable, number, found, titles)
    return figure


def _check_alike(variables: Sequence[Variable], first: Findings, other: Findings) -> None:
    theirs = {variable.name: variable for variable in maps_of(other.space)}
    for variable in variables:
        same = theirs.get(variable.name)
        coords = {} if same is None else same.coords
        if not all(np.array_equal(coords.get(dim, ()), variable.coords[dim]) for dim in variable.dims):
            raise ConfigError(
                "compare", other.result.path, f"has not the same grid of {variable.name} as {first.result.path}: leave it out"
            )


def _draw(
    figure: Figure, axes: np.ndarray, variable: Variable, number: int, found: Sequence[Findings], titles: Sequence[str]
) -> None:
    """A row of means and one of standard deviations."""
    shown = [panels(one.space, variable)[number] for one in found]
    means = [one.shown(panel, one.mean) for one, panel in zip(found, shown, strict=True)]
    stds = [one.shown(panel, one.std) for one, panel in zip(found, shown, strict=True)]
    above = {titled(title, panel): mean for title, panel, mean in zip(titles, shown, means, strict=True)}
    stations = found[0].stations
    draw_block(figure, axes[0], variable, above, colour_scale(variable, *means), stations, value_label(variable))
    top = max(float(np.quantile(std.compressed(), 0.99)) for std in stds)
    label = with_units("standard deviation", variable.units)
    below = dict(zip(titles, stds, strict=True))
    draw_block(figure, axes[1], variable, below, (Normalize(0, top), cm.acton_r), stations, label)
    for ax in axes[1]:
        ax.set_title("")
