"""Error of predicted data by the grid on which they are computed, in units of their standard deviations."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from vip.errors import ForwardError
from vip.protocols import Floats, Forward, Refines

N_MODELS = 3
"""Number of models whose data are computed three times, the last time on a grid four times as fine."""
GOOD_ENOUGH = 0.2
"""Root-mean-square error in sigma that does no harm: it adds 0.04 to chi-square per datum."""


class Discretisation(NamedTuple):
    """Error of the grid, as far as finer ones tell.

    Attributes
    ----------
    rms : float
        Root mean square, over data and models, of the error in sigma.
    largest : float
        Largest difference, in sigma, to a grid four times as fine.
    now : str
        Setting of the grid.
    enough : str
        Setting whose error would be `GOOD_ENOUGH`, by the rate at which the error falls; empty if it does not fall.
    """

    rms: float
    largest: float
    now: str
    enough: str

    @property
    def is_good(self) -> bool:
        """Whether the grid is fine enough for these data."""
        return self.rms <= GOOD_ENOUGH

    def __str__(self) -> str:
        """One line for a person to read."""
        text = f"{self.rms:.2g} sigma rms, {self.largest:.2g} at most, with {self.now}"
        if self.is_good:
            return text
        remedy = f"use {self.enough}" if self.enough else "finer grids do not settle it"
        return f"{text}: {remedy}, or the posterior has the error of the grid in it"


def grid_error(forward: Forward, models: Floats) -> Discretisation | None:
    """Error of a forward's grid for models (n, d), from a few of its data; None if it cannot be refined, or fails there."""
    excerpt = forward.excerpt() if isinstance(forward, Refines) else None
    if excerpt is None:
        return None
    with suppress(ForwardError):
        return discretisation(excerpt, models)
    return None


def discretisation(forward: Refines, models: Floats) -> Discretisation:
    """Error of the grid for models (n, d), from grids twice and four times as fine.

    The error is taken to fall as a power q of the spacing: with the data d1, d2 and d4 of the three grids and u = 2^-q,
    |d2 - d4| / |d1 - d4| = u / (1 + u), and the error of the first is |d1 - d4| / (1 - u^2).
    """
    first, second, finest = (of.simulate(models) for of in (forward, forward.finer(2), forward.finer(4)))
    off, half = ((data - finest) / forward.sigma for data in (first, second))
    size, half_size = (float(np.sqrt(np.mean(x**2))) for x in (off, half))
    ratio = half_size / size if size else 0.0
    falls = min(ratio / (1 - ratio), 1.0) if ratio < 1 else 1.0
    now, largest = forward.fineness(1), float(np.abs(off).max())
    if falls >= 1:  # the first grid is no worse than the second: nothing is known of the error but its size
        return Discretisation(size, largest, now, "")
    rms = size / (1 - falls**2)
    factor = (rms / GOOD_ENOUGH) ** (1 / -math.log2(falls)) if falls else 1.0
    return Discretisation(rms, largest, now, forward.fineness(max(1.0, factor)))
