"""The run by iteration: log-posterior, fit, steps, and other numbers that its algorithm reports."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullFormatter, SymmetricalLogLocator

from vip.pages.style import BLACK, BLUE, Picture
from vip.protocols import Floats
from vip.report.findings import Findings
from vip.report.layout import SPACING, WIDTH
from vip.report.stein import Stein

SPAN = 30
"""Ratio of the worst to the best log-likelihood from which the axis is logarithmic."""
LABELS = {
    "log_density": ("whole run", "mean log-posterior"),
    "log_likelihood": ("fit", "mean log-likelihood"),
    "step": ("steps", "r.m.s. step of θ"),
    "elbo": ("evidence lower bound", "ELBO"),
    "acceptance": ("acceptance", "share of steps accepted"),
    "remaining": ("evidence left to live points", "share, at most"),
    "ranks": ("ranks of new live points", "standard deviations"),
}
"""Title and axis of each number that is recorded at each iteration; runs of earlier versions may lack some."""


def trace(findings: Findings) -> Iterator[Picture]:
    """Mean log-posterior over the whole run and after burn-in, what else is recorded, and the Stein discrepancy."""
    metrics = findings.result.store.metrics()
    if not metrics:
        return
    settings = findings.result.problem.config.algorithm
    warm_up, burn_in = getattr(settings, "warm_up", 0), getattr(settings, "burn_in", 0)
    iteration = np.array([m["iteration"] for m in metrics])
    recorded = {key: np.array([m.get(key, np.nan) for m in metrics]) for key in LABELS}
    known = [key for key, values in recorded.items() if np.isfinite(values).any()]
    stein = findings.stein if findings.sampled else None
    along = stein is not None and len(stein.discrepancies) > 1
    figure, axes = _axes([known[0], "late", *known[1:], *(["stein"] if along else [])])
    for key in known:
        ax, (title, label) = axes[key], LABELS[key]
        ax.plot(iteration, recorded[key], color=BLUE, lw=1)
        ax.set(title=title, xlabel="iteration", ylabel=label, xlim=(0, iteration[-1]))
        _shade(ax, warm_up, burn_in)
    for key in {"log_likelihood", "elbo"} & set(known):
        _make_logarithmic(axes[key], recorded[key])
    if "step" in known:
        axes["step"].set_yscale("log")
        axes["step"].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes["step"].yaxis.set_major_formatter("{x:g}")
        axes["step"].yaxis.set_minor_formatter(NullFormatter())
    if "remaining" in known:
        axes["remaining"].set_yscale("log")
    if "acceptance" in known:
        axes["acceptance"].set_ylim(0, 1)
    if burn_in:
        axes[known[0]].legend(loc="center right", frameon=True, edgecolor="white")
    _draw_late(axes["late"], iteration, recorded["log_density"], burn_in)
    caption = "The mean is over the particles, in unconstrained space θ."
    if stein is not None and along:
        _draw_stein(axes["stein"], stein, iteration[-1])
        caption += (
            f" KSD²: kernelised Stein discrepancy of {stein.n} samples before each point, near 0 where they are the "
            f"posterior's; {stein.n_evaluated} gradients were evaluated for it."
        )
    yield Picture("trace", "Log-posterior and steps", caption, figure)


def _axes(names: list[str]) -> tuple[Figure, dict[str, Axes]]:
    """Axes by name: two in a row, or three where there are only three."""
    columns = 3 if len(names) == 3 else 2
    rows = -(-len(names) // columns)
    size = (WIDTH + 0.6, 2.9 if rows == 1 else 2.7 * rows)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=SPACING))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in grid[len(names) :]:
        ax.remove()
    return figure, dict(zip(names, grid, strict=False))


def _draw_stein(ax: Axes, stein: Stein, last: int) -> None:
    ax.plot(stein.iterations, [point.squared for point in stein.discrepancies], "o-", color=BLUE, lw=1, ms=4)
    ax.axhline(0, color=BLACK, lw=0.8, ls=":")
    ax.set(title="Stein discrepancy", xlabel="iteration", ylabel="KSD²", xlim=(0, 1.02 * last))


def _make_logarithmic(ax: Axes, values: Floats) -> None:
    """Make the axis logarithmic where a fit improves by orders of magnitude: a linear one would show only its beginning."""
    known = values[np.isfinite(values)]
    if known.max() < 0 and known.min() < SPAN * known.max():
        ax.set_yscale("symlog", linthresh=-known.max())
        ax.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=-known.max(), subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.set_ylim(1.3 * known.min(), 0.8 * known.max())


def _draw_late(ax: Axes, iteration: Floats, log_density: Floats, burn_in: int) -> None:
    """Draw the log-posterior after burn-in, or its second half where there is no burn-in or it is not over."""
    first = burn_in if 0 < burn_in < iteration[-1] else iteration[-1] // 2
    late = iteration > first
    ax.plot(iteration[late], log_density[late], color=BLUE, lw=1)
    ax.set(xlabel="iteration", ylabel="mean log-posterior", title="after burn-in" if first == burn_in else "second half")


def _shade(ax: Axes, warm_up: int, burn_in: int) -> None:
    if burn_in:
        ax.axvspan(warm_up, burn_in, color="0.92", lw=0, label="burn-in")
    if warm_up:
        ax.axvspan(0, warm_up, color="0.82", lw=0, label="warm-up")
