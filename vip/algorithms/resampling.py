"""Moving particles whose forward failed to the places of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vip.protocols import Floats

JITTER = 0.1
"""Distance from the other particle, in standard deviations: two particles at one place would stay together for ever."""


def take_places(particles: Floats, failed: Sequence[int], rng: np.random.Generator) -> tuple[Floats, NDArray[np.intp]]:
    """Particles (n, d) with each failed one moved near another, chosen at random; and the index (n,) of whose place each has.

    Examples
    --------
    >>> particles = np.array([[0.0], [1.0], [50.0]])
    >>> moved, origin = take_places(particles, [2], np.random.default_rng(0))
    >>> moved[:2].tolist(), bool(abs(moved[2, 0]) < 2), origin[:2].tolist()
    ([[0.0], [1.0]], True, [0, 1])
    """
    origin = np.arange(len(particles))
    others = np.delete(origin, failed)
    origin[list(failed)] = rng.choice(others, size=len(failed))
    moved = particles.copy()
    noise = rng.standard_normal((len(failed), particles.shape[1]))
    moved[list(failed)] = particles[origin[list(failed)]] + JITTER * particles[others].std(axis=0) * noise
    return moved, origin
