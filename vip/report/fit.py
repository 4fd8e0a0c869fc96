"""How well the models fit the data, before and after."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from vip.pages.style import BLACK, BLUE, GREY, ORANGE, Picture
from vip.protocols import Floats
from vip.report.findings import Findings
from vip.report.layout import SPACING, WIDTH, counted, rounded

ZOOM = 4.5
"""Standard deviations shown around zero."""
MAX_POINTS = 5000
"""Data drawn one by one."""
MAX_DATA = 100_000
"""Data in a histogram."""


def residuals(findings: Findings) -> Iterator[Picture]:
    """Normalised residuals of prior models and of samples, and against the observations."""
    fit = findings.fit
    if fit is None:
        return
    figure = Figure(figsize=(WIDTH + 0.6, 3.1), layout=ConstrainedLayoutEngine(w_pad=SPACING))
    wide, near, against = figure.subplots(1, 3)
    data = spread(len(fit.observed), MAX_DATA)
    before, after = fit.residuals(fit.before, data), fit.residuals(fit.after, data)
    _draw_wide(wide, before, after)
    _draw_near(near, after, fit.chi2_after)
    some = spread(len(data), MAX_POINTS)
    _draw_against(against, fit.observed[data[some]], after[:, some], fit.label)
    caption = (
        f"χ² per datum, with σ as given: {rounded(fit.chi2_before)} for {counted(len(fit.before), 'prior model')}, "
        f"{rounded(fit.chi2_after)} for {counted(len(fit.after), 'sample')}. 1 is expected if noise and physics are right."
    )
    if len(data) < len(fit.observed):
        caption += f" Drawn: {len(data):,} of {len(fit.observed):,} data."
    yield Picture("data_fit", "Data fit before and after", caption, figure)


def spread(n: int, most: int) -> NDArray[np.intp]:
    """Indices of at most so many of n data: the same ones each time, and in step with no period of the data.

    Examples
    --------
    >>> spread(4, 10).tolist(), spread(100, 4).tolist()
    ([0, 1, 2, 3], [0, 23, 61, 85])
    """
    if n <= most:
        return np.arange(n)
    golden = (np.sqrt(5) - 1) / 2
    return np.unique((np.arange(most) * golden % 1 * n).astype(np.intp))


def _draw_wide(ax: Axes, before: Floats, after: Floats) -> None:
    reach = float(np.quantile(np.abs(before), 0.98))
    edges = np.linspace(-reach, reach, 81).tolist()
    ax.hist(before.ravel(), edges, density=True, color=GREY, label="prior")
    ax.hist(after.ravel(), edges, density=True, histtype="step", color=BLUE, lw=1.5, label="posterior")
    ax.set(title="before and after", xlabel="(observed − predicted) / σ", ylabel="density")
    ax.legend()


def _draw_near(ax: Axes, after: Floats, chi2: float) -> None:
    edges = np.linspace(-ZOOM, ZOOM, 46).tolist()
    x = np.linspace(-ZOOM, ZOOM, 200)
    # Weights, not density=True: what lies outside the axes must not make the rest look taller.
    weight = np.full(after.size, 1 / (after.size * (edges[1] - edges[0])))
    ax.hist(after.ravel(), edges, weights=weight, color=BLUE, alpha=0.7, label="posterior")
    ax.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=BLACK, lw=1.5, label="standard normal")
    ax.set(title=f"after: χ² per datum {rounded(chi2)}", xlabel="(observed − predicted) / σ", ylabel="density")
    ax.set_ylim(top=1.3 * ax.get_ylim()[1])
    ax.legend(loc="upper left")


def _draw_against(ax: Axes, observed: Floats, after: Floats, label: str) -> None:
    ax.errorbar(observed, after.mean(axis=0), after.std(axis=0), fmt="o", ms=2.5, lw=0.6, color=BLUE, ecolor=GREY)
    ax.axhline(0, color=ORANGE, lw=1)
    ax.set(title="after: by datum", xlabel=f"observed {label}", ylabel="(observed − predicted) / σ")
