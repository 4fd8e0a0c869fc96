"""A particle whose physics failed takes the place of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vip.protocols import Floats

JITTER = 0.1
"""In standard deviations of the particles: two at one place would stay together for ever."""


def take_places(particles: Floats, failed: Sequence[int], rng: np.random.Generator) -> Floats:
    """Particles (n, d) in which each of the failed ones is near another, chosen at random.

    Examples
    --------
    >>> particles = np.array([[0.0], [1.0], [50.0]])
    >>> moved = take_places(particles, [2], np.random.default_rng(0))
    >>> moved[:2].tolist(), bool(abs(moved[2, 0]) < 2)
    ([[0.0], [1.0]], True)
    """
    others = np.delete(np.arange(len(particles)), failed)
    chosen = particles[rng.choice(others, size=len(failed))]
    moved = particles.copy()
    moved[list(failed)] = chosen + JITTER * particles[others].std(axis=0) * rng.standard_normal(chosen.shape)
    return moved
