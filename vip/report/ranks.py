"""Figure of a calibration: histograms of ranks, and expected coverage."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binom

from vip.diagnose.calibration import Calibration
from vip.pages.style import BLACK, BLUE, GREY, ORANGE, STYLE
from vip.report.reliability import draw_coverage

BAND = 0.99
"""Share of bins that are inside the grey band if ranks are uniform."""
COLUMNS = 4


def write_ranks(calibration: Calibration, file: Path) -> Path:
    """Draw a histogram of ranks for each quantity, and one curve of the coverage of all of them but the log-likelihood."""
    with matplotlib.rc_context(STYLE):
        figure(calibration).savefig(file)
    return file


def figure(calibration: Calibration) -> Figure:
    """The histograms, with the coverage at the end."""
    names = list(calibration.ranks)
    columns = min(COLUMNS, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)
    drawn = Figure(figsize=(2.6 * columns, 2.7 * rows), layout="constrained")
    axes = drawn.subplots(rows, columns, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        _draw_histogram(ax, calibration, name)
    below = np.concatenate([calibration.below(name) for name in calibration.parameters])
    draw_coverage(axes[len(names)], {"parameters": below})
    axes[len(names)].set_title("expected coverage")
    for ax in axes[len(names) + 1 :]:
        ax.remove()
    return drawn


def _draw_histogram(ax: Axes, calibration: Calibration, name: str) -> None:
    counts, n = calibration.counts(name), len(calibration.ranks[name])
    edges = np.linspace(0, calibration.n_ranks, calibration.n_bins + 1)
    low, high = binom.ppf([(1 - BAND) / 2, (1 + BAND) / 2], n, 1 / calibration.n_bins)
    ax.axhspan(low, high, color=GREY, alpha=0.3, lw=0)
    ax.axhline(n / calibration.n_bins, color=BLACK, lw=0.8, ls=":")
    ax.stairs(counts, edges, fill=True, color=ORANGE if name in calibration.faults else BLUE, alpha=0.8)
    ax.set(
        xlim=(0, calibration.n_ranks), ylim=(0, 1.1 * max(high, counts.max())), xlabel="rank of the truth", ylabel="replicates"
    )
    ax.set_title(f"{name}\np = {calibration.p_value(name):.2g}")
