"""What exchange.h defines in plain Python: each exchange is judged by a whole least-squares problem. Slow; a twin."""

from __future__ import annotations

from typing import Any

import numpy as np


def least(design: Any, precision: Any, centre: Any, datum: Any) -> float:
    """Least of ``|datum - design u|^2 + (u - centre) . precision (u - centre)`` over u."""
    u = np.linalg.solve(design.T @ design + precision, design.T @ datum + precision @ centre)
    return float(np.sum((datum - design @ u) ** 2) + (u - centre) @ precision @ (u - centre))


def exchange(design: Any, precision: Any, centre: Any, slot: Any, move: Any, slack: Any) -> tuple[Any, float]:
    """Slots after the moves, and the change of the sum of squares, where all data have picks.

    Parameters
    ----------
    design : (n_events, n_channels, n_unknowns) float
    precision : (n_unknowns, n_unknowns) float
    centre : (n_unknowns,) float
        Mean of the unknowns before any pick is seen.
    slot, move, slack
        As for the kernel.
    """
    n_events, _, size = design.shape
    rows = design.reshape(-1, size)

    def cost(slot: Any) -> float:
        return least(rows, precision, centre, slot[:, :n_events].T.ravel())

    start = now = cost(slot)
    for (channel, event, other), may in zip(move, slack, strict=True):
        trial = slot.copy()
        trial[channel, [event, other]] = slot[channel, [other, event]]
        after = cost(trial)
        if after - now <= may:
            slot, now = trial, after
    return slot, now - start
