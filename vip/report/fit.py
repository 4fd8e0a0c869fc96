"""How well the models fit the data, before and after."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from vip.report.findings import Findings, Fit
from vip.report.layout import BLACK, BLUE, GREY, ORANGE, SPACING, WIDTH, Picture, rounded

ZOOM = 4.5
"""Standard deviations shown around zero."""
MAX_POINTS = 5000


def residuals(findings: Findings) -> Iterator[Picture]:
    """Normalised residuals of prior models and of samples, and against the observations."""
    fit = findings.fit
    if fit is None:
        return
    figure = Figure(figsize=(WIDTH + 0.6, 3.1), layout=ConstrainedLayoutEngine(w_pad=SPACING))
    wide, near, against = figure.subplots(1, 3)
    _draw_wide(wide, fit)
    _draw_near(near, fit)
    _draw_against(against, fit)
    caption = (
        f"χ² per datum, with σ as given: {rounded(fit.chi2_before)} for {len(fit.before)} prior models, "
        f"{rounded(fit.chi2_after)} for {len(fit.after)} samples. 1 is expected if noise and physics are right."
    )
    yield Picture("data_fit", "Data fit before and after", caption, figure)


def _draw_wide(ax: Axes, fit: Fit) -> None:
    reach = float(np.quantile(np.abs(fit.before), 0.98))
    edges = np.linspace(-reach, reach, 81).tolist()
    ax.hist(fit.before.ravel(), edges, density=True, color=GREY, label="prior")
    ax.hist(fit.after.ravel(), edges, density=True, histtype="step", color=BLUE, lw=1.5, label="posterior")
    ax.set(title="before and after", xlabel="(observed − predicted) / σ", ylabel="density")
    ax.legend()


def _draw_near(ax: Axes, fit: Fit) -> None:
    edges = np.linspace(-ZOOM, ZOOM, 46).tolist()
    x = np.linspace(-ZOOM, ZOOM, 200)
    # Weights, not density=True: what lies outside the axes must not make the rest look taller.
    weight = np.full(fit.after.size, 1 / (fit.after.size * (edges[1] - edges[0])))
    ax.hist(fit.after.ravel(), edges, weights=weight, color=BLUE, alpha=0.7, label="posterior")
    ax.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=BLACK, lw=1.5, label="standard normal")
    ax.set(title=f"after: χ² per datum {rounded(fit.chi2_after)}", xlabel="(observed − predicted) / σ", ylabel="density")
    ax.set_ylim(top=1.3 * ax.get_ylim()[1])
    ax.legend(loc="upper left")


def _draw_against(ax: Axes, fit: Fit) -> None:
    chosen = np.linspace(0, len(fit.observed) - 1, min(MAX_POINTS, len(fit.observed))).astype(int)
    mean, spread = fit.after.mean(axis=0)[chosen], fit.after.std(axis=0)[chosen]
    ax.errorbar(fit.observed[chosen], mean, spread, fmt="o", ms=2.5, lw=0.6, color=BLUE, ecolor=GREY)
    ax.axhline(0, color=ORANGE, lw=1)
    ax.set(title="after: by datum", xlabel=f"observed {fit.label}", ylabel="(observed − predicted) / σ")
