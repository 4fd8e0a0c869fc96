"""Agreement of a run's result with the truth of a synthetic test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.protocols import Floats

INTERVAL = (0.05, 0.95)
"""Quantiles of the samples between which nine truths of ten should be."""


class Agreement(NamedTuple):
    """Agreement of one map (rows, columns) with the truth; nan for a row without variation or unknown nodes."""

    correlation: float
    """Correlation of mean and truth, over all unknown nodes."""
    start_correlation: float
    """Correlation of truth and a model from before the inversion."""
    covered: float
    """Share of unknown nodes whose truth is inside the interval."""
    correlation_by_row: Floats
    start_correlation_by_row: Floats
    covered_by_row: Floats

    def __str__(self) -> str:
        width = INTERVAL[1] - INTERVAL[0]
        return f"correlation {self.correlation:.2f}, {width:.0%} interval covers {self.covered:.0%} of nodes"


def agreement(truth: Floats, mean: Floats, start: Floats, samples: Floats, free: NDArray[np.bool_]) -> Agreement:
    """Agreement of a map's mean, of a model from before, and of samples (n, rows, columns) with the truth, at free nodes."""
    rows = range(len(truth))
    inside = np.zeros(truth.shape, dtype=bool)
    for row in rows:  # all rows at once would copy all samples
        low, high = np.quantile(samples[:, row], INTERVAL, axis=0)
        inside[row] = (low <= truth[row]) & (truth[row] <= high)
    return Agreement(
        correlation(truth[free], mean[free]),
        correlation(truth[free], start[free]),
        float(inside[free].mean()) if free.any() else np.nan,
        np.array([correlation(truth[row, free[row]], mean[row, free[row]]) for row in rows]),
        np.array([correlation(truth[row, free[row]], start[row, free[row]]) for row in rows]),
        np.array([inside[row, free[row]].mean() if free[row].any() else np.nan for row in rows]),
    )


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's correlation; nan where one of the two is constant.

    Examples
    --------
    >>> correlation(np.array([1.0, 2.0, 4.0]), np.array([10.0, 8.0, 4.0]))
    -1.0
    """
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(round(np.corrcoef(a, b)[0, 1], 12))
