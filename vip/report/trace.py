"""The run itself: log-posterior and step by iteration."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullFormatter, SymmetricalLogLocator

from vip.protocols import Floats
from vip.report.findings import Findings
from vip.report.layout import BLUE, SPACING, WIDTH, Picture

SPAN = 30
"""Between the worst and the best log-likelihood, from which the axis is logarithmic."""


def trace(findings: Findings) -> Iterator[Picture]:
    """Mean log-posterior over the whole run and after burn-in, and the size of the steps."""
    metrics = findings.result.store.metrics()
    if not metrics:
        return
    settings = findings.result.problem.config.algorithm
    warm_up, burn_in = getattr(settings, "warm_up", 0), getattr(settings, "burn_in", 0)
    # Runs of earlier versions have no log-likelihood.
    iteration, log_density, log_likelihood, step = (
        np.array([m.get(key, np.nan) for m in metrics]) for key in ("iteration", "log_density", "log_likelihood", "step")
    )
    figure, axes = _axes(bool(np.isfinite(log_likelihood).any()))
    whole, late, steps = (axes[name] for name in ("whole", "late", "steps"))
    curves = {"whole": (log_density, "mean log-posterior"), "steps": (step, "r.m.s. step of θ")}
    if "likelihood" in axes:
        curves["likelihood"] = log_likelihood, "mean log-likelihood"
        axes["likelihood"].set_title("fit")
        _make_logarithmic(axes["likelihood"], log_likelihood)
    for name, (values, label) in curves.items():
        axes[name].plot(iteration, values, color=BLUE, lw=1)
        axes[name].set(xlabel="iteration", ylabel=label, xlim=(0, iteration[-1]))
        _shade(axes[name], warm_up, burn_in)
    steps.set_yscale("log")
    steps.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    steps.yaxis.set_major_formatter("{x:g}")
    steps.yaxis.set_minor_formatter(NullFormatter())
    whole.set_title("whole run")
    steps.set_title("steps")
    if burn_in:
        whole.legend(loc="center right", frameon=True, edgecolor="white")
    _draw_late(late, iteration, log_density, burn_in)
    caption = "The mean is over the particles, in unconstrained space θ."
    yield Picture("trace", "Log-posterior and steps", caption, figure)


def _axes(likelihood: bool) -> tuple[Figure, dict[str, Axes]]:
    """By name; in two rows where there is a likelihood to draw."""
    figure = Figure(figsize=(WIDTH + 0.6, 5.4 if likelihood else 2.9), layout=ConstrainedLayoutEngine(w_pad=SPACING))
    axes: dict[str, Axes] = figure.subplot_mosaic(
        [["whole", "late"], ["likelihood", "steps"]] if likelihood else [["whole", "late", "steps"]]
    )
    return figure, axes


def _make_logarithmic(ax: Axes, values: Floats) -> None:
    """Where a fit improves by orders of magnitude, on a linear axis only its beginning is seen."""
    known = values[np.isfinite(values)]
    if known.max() < 0 and known.min() < SPAN * known.max():
        ax.set_yscale("symlog", linthresh=-known.max())
        ax.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=-known.max(), subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")


def _draw_late(ax: Axes, iteration: Floats, log_density: Floats, burn_in: int) -> None:
    """After burn-in, or the second half where there is none or it is not over."""
    first = burn_in if 0 < burn_in < iteration[-1] else iteration[-1] // 2
    late = iteration > first
    ax.plot(iteration[late], log_density[late], color=BLUE, lw=1)
    ax.set(xlabel="iteration", ylabel="mean log-posterior", title="after burn-in" if first == burn_in else "second half")


def _shade(ax: Axes, warm_up: int, burn_in: int) -> None:
    if burn_in:
        ax.axvspan(warm_up, burn_in, color="0.92", lw=0, label="burn-in")
    if warm_up:
        ax.axvspan(0, warm_up, color="0.82", lw=0, label="warm-up")
