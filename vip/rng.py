"""Random numbers that depend on (seed, iteration, purpose) alone, so that a resumed run draws what it would have drawn."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """Purpose of a stream of random numbers; streams of different purposes never overlap."""

    START = 0
    STEP = 1
    DRAW = 2
    SIMULATE = 3
    CHECK = 4
    BLOCKS = 5
    RESAMPLE = 6
    REPLICATE = 7
    PROPOSE = 8


def stream(seed: int, iteration: int, purpose: Purpose) -> np.random.Generator:
    """Independent generator for one iteration and purpose (counter-based Philox 4x64; Salmon et al. 2011).

    Examples
    --------
    >>> bool(stream(1, 7, Purpose.STEP).random() == stream(1, 7, Purpose.STEP).random())
    True
    """
    # The two high words of the counter name the stream; 2^128 numbers lie between neighbours.
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, iteration, int(purpose)]))
