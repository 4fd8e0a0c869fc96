"""What matching.h defines in plain Python: every matching is written down. Slow; to hold the native kernel to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def gains(prediction: Any, prediction_gain: Any, pick: Any, pick_gain: Any, sigma: Any) -> Any:
    """Gain (n_predictions, n_picks) of matching each pair of one channel."""
    z = (np.asarray(pick) - np.asarray(prediction)[:, None]) / np.asarray(sigma)
    return np.asarray(prediction_gain)[:, None] + np.asarray(pick_gain) - z**2 / 2


def matchings(n_predictions: int, n_picks: int) -> Iterator[tuple[int, ...]]:
    """Every matching of one channel: the pick of each prediction, or -1."""

    def extended(match: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(match) == n_predictions:
            yield match
            return
        for k in (-1, *(k for k in range(n_picks) if k not in match)):
            yield from extended((*match, k))

    return extended(())


def probabilities(gain: Any) -> Any:
    """Probability (n_predictions, n_picks) of each pair, over all matchings."""
    n, m = gain.shape
    total, share = 0.0, np.zeros((n, m))
    for match in matchings(n, m):
        pairs = [(j, k) for j, k in enumerate(match) if k >= 0]
        weight = float(np.exp(sum(gain[j, k] for j, k in pairs)))
        total += weight
        for j, k in pairs:
            share[j, k] += weight
    return share / total


def log_sum(gain: Any) -> Any:
    """Logarithm of the sum of exp(gain) over all matchings."""
    totals = [sum(gain[j, k] for j, k in enumerate(match) if k >= 0) for match in matchings(*gain.shape)]
    return np.log(np.sum(np.exp(totals)))
