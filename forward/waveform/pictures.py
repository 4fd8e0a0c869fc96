"""Figures of an event: where it was, how it moved, and how its seismograms fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vip.forward.waveform.beachballs import balls, lune
from vip.forward.waveform.samples import drawn_tensors
from vip.forward.waveform.solved import Solved
from vip.pages.contours import LEVELS, contours
from vip.pages.style import BLACK, BLUE, GREY, ORANGE
from vip.protocols import Floats

Picture = tuple[str, str, str, Any]
"""Name of the file, title, caption and figure of a picture."""
LABELS = ("x, east (m)", "y, north (m)", "depth (m)")
SHOWN = 400
"""Largest number of samples that are drawn or predicted."""
CLOSE = 4.5
"""Half the extent of the close view, in standard deviations."""
STATIONS_A_PAGE = 6
"""Largest number of stations whose seismograms are drawn."""


def pictures(forward: Solved, models: Floats) -> Iterator[Picture]:
    """Place in map and sections, moment tensors, seismograms and their misfit."""
    chosen = models[np.linspace(0, len(models) - 1, min(len(models), SHOWN)).astype(int)]
    yield _whole(forward, chosen)
    yield _close(forward, chosen)
    if forward.has_tensors:
        tensors = drawn_tensors(forward, chosen)
        true = forward.truth.tensor if forward.truth else None
        yield balls(tensors, true)
        yield lune(tensors, true)
    predicted = forward.simulate(chosen).reshape(len(chosen), *forward.record.traces.shape)
    yield _seismograms(forward, predicted)
    yield _misfits(forward, predicted)


def _sections(size: tuple[float, float]) -> tuple[Any, list[tuple[Any, int, int]]]:
    """A map, a section beside it that looks west, one below it that looks north; each with its two axes of the place."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.3, 1], height_ratios=[1.3, 1])
    above = figure.add_subplot(grid[0, 0])
    beside, below = figure.add_subplot(grid[0, 1], sharey=above), figure.add_subplot(grid[1, 0], sharex=above)
    panels = [(above, 0, 1), (beside, 2, 1), (below, 0, 2)]
    beside.set_xlabel(LABELS[2])
    above.set_ylabel(LABELS[1])
    below.set(xlabel=LABELS[0], ylabel=LABELS[2])
    above.tick_params(axis="x", labelbottom=False)
    beside.tick_params(axis="y", labelleft=False)
    return figure, panels


def _whole(forward: Solved, models: Floats) -> Picture:
    """The whole box with the stations."""
    figure, panels = _sections((8.2, 7.2))
    receivers = np.array([channel.position for channel in forward.record.channels])
    ends = np.concatenate([receivers, forward.greens.box.T])
    low, high = ends.min(axis=0), ends.max(axis=0)
    margin = 0.05 * (high - low).max()
    for ax, i, j in panels:
        x, y = forward.greens.box[[i, j]]
        ax.plot(x[[0, 1, 1, 0, 0]], y[[0, 0, 1, 1, 0]], color=GREY, lw=0.8, ls=":", label="box of the prior")
        ax.plot(
            receivers[:, i], receivers[:, j], "v", color=BLACK, ms=7, mec="white", mew=0.5, label="receivers", clip_on=False
        )
        ax.plot(models[:, i], models[:, j], ".", color=BLUE, ms=4, mew=0, alpha=0.5, label="samples")
        _mark_truth(ax, forward, i, j)
        ax.set(xlim=(low[i] - margin, high[i] + margin), ylim=(low[j] - margin, high[j] + margin))
    panels[2][0].invert_yaxis()
    for station in forward.stations:
        place = receivers[forward.station_of == forward.stations.index(station)][0]
        panels[0][0].annotate(station, place[:2], xytext=(6, 5), textcoords="offset points", size=8.5)
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="lower right", bbox_to_anchor=(0.97, 0.12))
    caption = "Samples of the place in the box of the prior: from above, from the east, and from the south."
    return "place_in_the_box", "Place of the event", caption, figure


def _close(forward: Solved, models: Floats) -> Picture:
    """Samples and contours, close."""
    figure, panels = _sections((8.2, 7.2))
    mean, spread = models[:, :3].mean(axis=0), models[:, :3].std(axis=0)
    reach = np.full(3, CLOSE * spread.max())
    if forward.truth is not None:
        gap = np.abs(forward.truth.place - mean)
        reach = np.maximum(reach, np.where(gap < 5 * reach, 1.2 * gap, 0.0).max())
    for ax, i, j in panels:
        ax.plot(models[:, i], models[:, j], ".", color=GREY, ms=3, mew=0, label="samples")
        contours(ax, models[:, [i, j]], 0.3)
        _mark_truth(ax, forward, i, j)
        ax.set(xlim=(mean[i] - reach[i], mean[i] + reach[i]), ylim=(mean[j] - reach[j], mean[j] + reach[j]))
        ax.locator_params(nbins=6)
    panels[2][0].invert_yaxis()
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="lower right", bbox_to_anchor=(0.97, 0.3))
    words = [f"{label}: {m:.1f} ± {s:.1f}" for label, m, s in zip(LABELS, mean, spread, strict=True)]
    figure.text(0.97, 0.12, "\n".join(words), ha="right", size=9)
    caption = (
        f"Contours hold {LEVELS[0]:.0%} and {LEVELS[1]:.0%} of the samples. Mean and standard deviation at the lower right."
    )
    return "place", "Place of the event, close", caption, figure


def _mark_truth(ax: Any, forward: Solved, i: int, j: int) -> None:
    if forward.truth is not None:
        ax.plot(
            *forward.truth.place[[i, j]], "*", color=ORANGE, ms=13, mec="white", mew=0.7, zorder=5, label="truth", ls="none"
        )


def _seismograms(forward: Solved, predicted: Floats) -> Picture:
    """Observed traces and the range of those predicted; a row for each station, a column for each of its channels."""
    from matplotlib.figure import Figure

    record = forward.record
    time = record.start + record.dt * np.arange(record.traces.shape[1])
    stations = _nearest(forward, STATIONS_A_PAGE)
    columns = max(int((forward.station_of == station).sum()) for station in stations)
    figure = Figure(figsize=(2.4 + 2.4 * columns, 0.8 + 1.25 * len(stations)), layout="constrained")
    axes = figure.subplots(len(stations), columns, squeeze=False, sharex=True)
    low, high = np.quantile(predicted, [0.05, 0.95], axis=0)
    for row, station in zip(axes, stations, strict=True):
        members = np.flatnonzero(forward.station_of == station)
        for ax, i in zip(row, members, strict=False):
            unit = "Pa" if record.channels[i].kind == "pressure" else "m/s"
            peak = np.abs(record.traces[i]).max()
            ax.plot(time, record.traces[i] / peak, color=BLACK, lw=0.7, label="observed")
            band = (low[i] / peak, high[i] / peak)
            ax.fill_between(time, *band, color=ORANGE, alpha=0.9, lw=0.8, ec=ORANGE, label="predicted, 90 %")
            ax.set_title(f"{forward.stations[station]} {record.channels[i].name}", loc="left", size=8.5, pad=2)
            ax.set_title(f"{peak:.2g} {unit}", loc="right", size=8, pad=2, weight="normal")
            ax.set(yticks=[], ylim=(-1.1, 1.1))
            ax.spines["left"].set_visible(False)
        for ax in row[len(members) :]:
            ax.set_axis_off()
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    more = f" The {len(stations)} nearest of {len(forward.stations)} stations." if len(stations) < len(forward.stations) else ""
    caption = (
        f"Each trace over its largest size, which stands above it; bands hold 90 % of the predictions of the samples.{more}"
    )
    return "seismograms", "Seismograms, observed and predicted", caption, figure


def _misfits(forward: Solved, predicted: Floats) -> Picture:
    """Residuals of the mean prediction, made white: by channel, and as a histogram."""
    from matplotlib.figure import Figure

    residual = (forward.record.traces - predicted.mean(axis=0))[None, :, None]
    white = forward.likelihood.whitener(residual)[0, :, 0]
    names = [f"{channel.station} {channel.name}" for channel in forward.record.channels]
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    bars, histogram = figure.subplots(1, 2, width_ratios=[1.7, 1])
    bars.axhline(1, color=GREY, lw=0.8, ls="--")
    sizes = np.sqrt((white**2).mean(axis=1))
    bars.plot(np.arange(len(names)), sizes, "o", color=BLUE, ms=5)
    bars.set_xticks(np.arange(len(names)), names, rotation=90, size=7.5)
    bars.set(ylabel="root mean square residual\n(units of noise)", ylim=(0, 1.15 * max(1.0, float(sizes.max()))))
    x = np.linspace(-5, 5, 201)
    histogram.hist(white.ravel(), np.linspace(-5, 5, 61).tolist(), density=True, color=BLUE, alpha=0.7, label="residuals")
    histogram.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=BLACK, lw=1.3, label="standard normal")
    histogram.set(xlabel="residual (units of noise)", ylabel="density")
    histogram.set_ylim(top=1.3 * histogram.get_ylim()[1])
    histogram.legend(loc="upper left")
    caption = "Observed less the mean of the predictions, made white by the covariance of each channel's noise; 1 is expected."
    return "misfit", "Misfit in units of noise", caption, figure


def _nearest(forward: Solved, most: int) -> NDArray[np.intp]:
    """Stations that recorded the strongest signal over noise, at most so many, in their order."""
    size = np.abs(forward.record.traces).max(axis=1) / np.sqrt([process.variances[0] for process in forward.processes])
    best = np.array([size[forward.station_of == station].max() for station in range(len(forward.stations))])
    return np.sort(np.argsort(-best, kind="stable")[:most])
