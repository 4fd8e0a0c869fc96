"""The sums of backprojection.h in plain NumPy: slow, written to be read and to hold the native kernel to."""

from __future__ import annotations

from typing import Any

import numpy as np


def back_project(gain: Any, channel: Any, delay: Any, threads: int = 1) -> tuple[Any, Any]:
    """Twin of the native `back_project`, whose docstring applies; `threads` changes nothing."""
    gain, channel, delay = np.asarray(gain, np.float32), np.asarray(channel), np.asarray(delay)
    n_times = gain.shape[1] - delay.max()
    best, node = np.zeros(n_times, np.float32), np.full(n_times, -1, np.int32)
    for k in range(len(channel)):
        total = np.zeros(n_times, np.float32)
        for c, d in zip(channel[k], delay[k], strict=True):
            if c < 0:
                break
            total = total + gain[c, d : d + n_times]
            better = total > best
            best[better], node[better] = total[better], k
    return best, node
