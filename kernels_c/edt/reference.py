"""The sum of edt.h in plain NumPy: slow, written to be read and to hold the native kernel to.

One particle and one event at a time, all pairs, the logarithm by log-sum-exp.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vip.kernels_c.door import Floats


def log_terms(r: Any, v: Any, w: Any) -> Any:
    """Logarithm (n, n) of the term of each pair of picks (n,); minus infinity unless a < b. Input may be complex."""
    s = v[:, None] + v
    log_term = np.log(w[:, None] * w) - np.log(s) / 2 - (r[:, None] - r) ** 2 / s
    return np.where(np.triu(np.ones(s.shape, bool), 1), log_term, -np.inf)


def log_sum_of_pairs(r: Any, v: Any, w: Any) -> Any:
    """Log S of one event."""
    log_term = log_terms(r, v, w)
    largest = log_term.real.max()
    return largest + np.log(np.exp(log_term - largest).sum())


def gradient_of_log_sum(r: Floats, v: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Derivatives of log S of one event by each residual and each variance, (n,) both."""
    share = np.exp(log_terms(r, v, w) - log_sum_of_pairs(r, v, w))
    share += share.T  # of each pair, in S, on both sides of the diagonal
    d, s = r[:, None] - r, v[:, None] + v
    return (-2 * d / s * share).sum(axis=1), ((d**2 / s - 0.5) / s * share).sum(axis=1)


def log_edt(
    residual: ArrayLike,
    variance: ArrayLike,
    start: ArrayLike,
    weight: ArrayLike | None = None,
    tolerance: float = 0,
    threads: int = 1,
) -> tuple[Floats, Floats, Floats]:
    """Twin of the native `log_edt`, whose docstring applies; `tolerance` and `threads` change nothing."""
    residual, variance, start = np.asarray(residual, float), np.asarray(variance, float), np.asarray(start)
    weight = np.ones(residual.shape[1]) if weight is None else np.asarray(weight, float)
    log_sum = np.empty((len(residual), len(start) - 1))
    by_residual, by_variance = np.empty_like(residual), np.empty_like(residual)
    for e in range(len(start) - 1):
        picks = slice(start[e], start[e + 1])
        for n in range(len(residual)):
            event = residual[n, picks], variance[n, picks], weight[picks]
            log_sum[n, e] = log_sum_of_pairs(*event)
            by_residual[n, picks], by_variance[n, picks] = gradient_of_log_sum(*event)
    return log_sum, by_residual, by_variance
