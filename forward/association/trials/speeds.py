"""Three-dimensional speeds of Shi et al. (2024), sections 5.5 and 5.6: a rise with depth, and what is added to it at random."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.forward.association.trials.crossing import SIDE
from vip.forward.earthquakes.velocity import Grid3D
from vip.protocols import Floats

NODES = 32
"""Number of nodes along each side of the cube."""
LIMITS = (5.0, 25.0)
"""Least and largest speed, km/s: those of the rise with depth, at which all are cut."""
LARGEST = 15.0
"""Largest value of a pattern, km/s; its least is 0."""
DECAY, WAVENUMBER = 2.5, 2.5
"""Exponent alpha of the spectrum of patterns, and the wavenumber, in sides of the cube, below which it is flat; the latter is
that of the authors' code."""
MOST = 3
"""Largest number of patterns or of perturbations in a speed."""
HEIGHT, WIDTHS = 25.0, (10.0, 50.0)
"""Largest height, km/s, and least and largest standard deviations, km, of perturbations."""

FOLD, THROW, THICKNESS, UNEVEN = 8.0, 15.0, 10.0, 1.5
"""Height of folds, throw of the fault and thickness of layers, km, and what every other layer has more or less, km/s."""


def cube(velocity: Floats) -> Grid3D:
    """A model of speeds (x, y, depth), km/s, on nodes of the cube, cut at the limits."""
    axis = np.linspace(0, SIDE, NODES)
    return Grid3D((axis, axis, axis), {"P": np.clip(np.swapaxes(velocity, 0, 1), *LIMITS)}, False)


def rising() -> Floats:
    """Speeds (x, y, depth), km/s, that rise with depth from one limit to the other."""
    return np.broadcast_to(np.linspace(*LIMITS, NODES), (NODES,) * 3).copy()


class Patterns(NamedTuple):
    """Random patterns that are the same for all speeds, which have up to three of them each."""

    shapes: Floats
    """Patterns (n, x, y, depth), km/s."""

    def draw(self, rng: np.random.Generator, most: int = MOST) -> Grid3D:
        """A speed: up to `most` patterns, with weights from -1 to 1, are added to the rise with depth."""
        n = rng.integers(1, most + 1)
        chosen = rng.choice(len(self.shapes), n, replace=False)
        return cube(rising() + np.tensordot(rng.uniform(-1, 1, n), self.shapes[chosen], 1))


def patterns(rng: np.random.Generator, n: int = 20) -> Patterns:
    """Moduli of complex Gaussian random fields with the spectrum ``(k^2 + k0^2)^-alpha``, scaled from 0 to the largest value.

    Amplitudes, not powers, fall with half of this exponent; the constant part has none. This is the authors' published code,
    which says more than the paper.
    """
    k = 2 * np.pi * np.fft.fftfreq(NODES, 1 / NODES)
    square = k[:, None, None] ** 2 + k[:, None] ** 2 + k**2
    amplitude = np.where(square > 0, (square + WAVENUMBER**2) ** (-DECAY / 2), 0)
    noise = rng.standard_normal((n, 2, NODES, NODES, NODES))
    fields = np.abs(np.fft.ifftn(amplitude * (noise[:, 0] + 1j * noise[:, 1]), axes=(1, 2, 3)))
    low, high = (end(axis=(1, 2, 3), keepdims=True) for end in (fields.min, fields.max))
    return Patterns(LARGEST * (fields - low) / (high - low))


def folded() -> Grid3D:
    """Folded layers that a dipping fault has thrust over each other, in the place of an overthrust model.

    Speeds rise with depth on the whole, in steps, unlike all others here.
    """
    x, y, depth = np.meshgrid(*[np.linspace(0, SIDE, NODES)] * 3, indexing="ij")
    fold = FOLD * np.sin(2 * np.pi * (x + 0.3 * y) / (0.8 * SIDE))
    thrust = np.where(x - depth > 0.1 * SIDE, THROW, 0.0)  # a fault that dips by 45 degrees
    layer = np.floor((depth + fold + thrust) / THICKNESS)
    return cube(LIMITS[0] + (LIMITS[1] - LIMITS[0]) * layer * THICKNESS / SIDE + np.where(layer % 2, UNEVEN, -UNEVEN))


def between(first: Grid3D, second: Grid3D, share: float) -> Grid3D:
    """The speed that has a share, 0 to 1, of the second one and the rest of the first."""
    return first._replace(velocity={p: (1 - share) * v + share * second.velocity[p] for p, v in first.velocity.items()})


def perturbed(rng: np.random.Generator, most: int = MOST) -> Grid3D:
    """A speed: up to `most` Gaussian bells are added to the rise with depth."""
    axis, velocity = np.linspace(0, SIDE, NODES), rising()
    for _ in range(rng.integers(1, most + 1)):
        height, middle, width = rng.uniform(-HEIGHT, HEIGHT), rng.uniform(0, SIDE, 3), rng.uniform(*WIDTHS, 3)
        x, y, z = (np.exp(-((axis - m) ** 2) / (2 * w**2)) for m, w in zip(middle, width, strict=True))
        velocity += height * x[:, None, None] * y[:, None] * z
    return cube(velocity)
