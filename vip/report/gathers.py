"""Waveforms: observed, predicted and their difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vip.pages.style import BLACK, ORANGE, Picture
from vip.protocols import Gather
from vip.report.findings import Findings, Fit
from vip.report.layout import WIDTH, counted

CLIP = 0.98
"""Quantile of observed amplitudes at the end of the colour scale."""
N_TRACES = 6


def sections(findings: Findings) -> Iterator[Picture]:
    """The first gather and the one in the middle: observed, predicted and residual on one colour scale."""
    fit = findings.fit
    if fit is None or not findings.gathers:
        return
    chosen = [findings.gathers[i] for i in sorted({0, len(findings.gathers) // 2})]
    figure = Figure(figsize=(WIDTH + 0.6, 3.9 * len(chosen)), layout="constrained")
    axes = figure.subplots(len(chosen), 3, squeeze=False, sharex="row", sharey="row")
    for row, gather in zip(axes, chosen, strict=True):
        _draw_gather(figure, row, fit, gather)
    caption = (
        f"Predicted: mean of {counted(len(fit.after), 'sample')}. Residual: observed − predicted. "
        f"One colour scale for the three, which ends at the {CLIP:.0%} quantile of the observed amplitudes."
    )
    yield Picture("gathers", "Waveforms, observed and predicted", caption, figure)


def traces(findings: Findings) -> Iterator[Picture]:
    """A few traces of the gather in the middle, with the range of those predicted."""
    fit = findings.fit
    if fit is None or not findings.gathers:
        return
    gather = findings.gathers[len(findings.gathers) // 2]
    order = np.argsort(gather.distance, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(N_TRACES, len(order))).round().astype(int)]
    figure = Figure(figsize=(WIDTH + 0.6, 0.85 * len(chosen) + 0.9), layout="constrained")
    axes = figure.subplots(len(chosen), 1, squeeze=False, sharex=True)[:, 0]
    for ax, trace in zip(axes, chosen, strict=True):
        _draw_trace(ax, fit, gather, int(trace))
    axes[-1].set_xlabel("time (s)")
    axes[-1].spines["bottom"].set_visible(True)
    axes[-1].tick_params(bottom=True)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    figure.suptitle(gather.label, x=0.01, ha="left", size=10, weight="bold")
    caption = f"Each on its own scale. Predicted: smallest to largest of {counted(len(fit.after), 'sample')}."
    yield Picture("traces", "Traces, observed and predicted", caption, figure)


def _draw_gather(figure: Figure, axes: list[Axes], fit: Fit, gather: Gather) -> None:
    observed, predicted = fit.observed[gather.data], fit.after[:, gather.data].mean(axis=0)
    reach = float(np.quantile(np.abs(observed), CLIP)) or float(np.abs(observed).max()) or 1.0
    shown = {"observed": observed, "predicted": predicted, "residual": observed - predicted}
    order = np.argsort(gather.distance, kind="stable")
    for ax, (title, data) in zip(axes, shown.items(), strict=True):
        image = data.reshape(len(gather.distance), len(gather.time))[order].T
        x, scale = gather.distance[order], Normalize(-reach, reach)
        mesh = ax.pcolormesh(x, gather.time, image, norm=scale, cmap=cm.vik, shading="nearest")
        ax.set(title=f"{gather.label}: {title}" if ax is axes[0] else title, xlabel="x (m)", ylabel="time (s)")
        if ax is not axes[0]:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
        ax.spines[["top", "right"]].set_visible(True)
    axes[0].invert_yaxis()
    figure.colorbar(mesh, ax=axes, label=fit.label or "amplitude", extend="both", pad=0.01)


def _draw_trace(ax: Axes, fit: Fit, gather: Gather, trace: int) -> None:
    def part(data: NDArray[Any]) -> NDArray[Any]:
        panel = data[..., gather.data].reshape(*data.shape[:-1], len(gather.distance), len(gather.time))
        values: NDArray[Any] = panel[..., trace, :]
        return values

    predicted = part(fit.after)
    low, high = predicted.min(axis=0), predicted.max(axis=0)
    ax.plot(gather.time, part(fit.observed), color=BLACK, lw=0.9, label="observed")
    ax.fill_between(gather.time, low, high, color=ORANGE, alpha=0.8, lw=0.9, label="predicted", zorder=3)
    ax.set(yticks=[], xlim=(gather.time[0], gather.time[-1]))
    ax.set_ylabel(f"{gather.distance[trace]:g} m", rotation=0, ha="right", va="center")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(bottom=False)
