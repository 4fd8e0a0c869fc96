"""Residuals by station, in which a wrong clock or place shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vip.forward.tomo2d.data import Picks
from vip.protocols import Floats


def station_scores(periods: Mapping[str, Picks], predicted: Floats) -> dict[str, dict[str, float]]:
    """Sum of (observed - mean prediction) / sigma over the paths of each station by the root of their number, by period."""
    ends = np.cumsum([len(picks.time) for picks in periods.values()])[:-1]
    scores = {}
    for (label, picks), mean in zip(periods.items(), np.split(predicted.mean(axis=0), ends), strict=True):
        residual = (picks.time - mean) / picks.sigma
        total, number = np.zeros(len(picks.station_names)), np.zeros(len(picks.station_names))
        for end in (picks.source, picks.receiver):
            np.add.at(total, end, residual)
            np.add.at(number, end, 1)
        scores[label] = {
            name: float(t / np.sqrt(n)) for name, t, n in zip(picks.station_names, total, number, strict=True) if n
        }
    return scores
