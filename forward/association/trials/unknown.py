"""Windows in which speeds in three dimensions are not known, and what is found of events, picks and speeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vip.forward.association.speed.annealing import Annealing
from vip.forward.association.speed.code import Limited, limited
from vip.forward.association.speed.crowded import Crowded, learn_crowded
from vip.forward.association.speed.times import TimesOfCode
from vip.forward.association.speed.together import Unknown
from vip.forward.association.trials.crossing import Crossing, ceiling, crossing, solver_of
from vip.forward.association.trials.measures import accuracy, names
from vip.forward.association.trials.speeds import LIMITS
from vip.forward.earthquakes.velocity import Grid3D
from vip.protocols import Floats

NODE = 2.5
"""Spacing of the nodes of travel times in the search, km; the true ones are computed on closer nodes."""
SPACING = 5.0
"""Spacing of the nodes on which events are sought, km."""
MODELS = 200
"""Number of speeds from which a family is learned."""

Draw = Callable[[np.random.Generator], Grid3D]
"""Draws a speed."""


class Trial(NamedTuple):
    """What was found, beside the truth."""

    window: Crossing
    true: Grid3D
    found: Crowded
    speed: Grid3D
    """Speed that was found."""
    accuracy: float
    """Share of picks with the right event."""
    ceiling: float
    """The same for the best assignment to the true events at the true speed."""
    speed_error: float
    """Root mean square of found less true speeds, km/s."""
    location_error: float
    """Root mean square of distances between events that were found and the true ones, km."""

    @property
    def line(self) -> str:
        """Numbers in a line."""
        return (
            f"ACC {100 * self.accuracy:5.1f} %, ceiling {100 * self.ceiling:5.1f} %, speed {self.speed_error:4.2f} km/s, "
            f"places {self.location_error:5.1f} km, CF {self.window.confusion:.2f}, residual {self.found.misfit:.3f} s"
        )


def family_of(draw: Draw, size: int, seed: int = 0) -> Limited:
    """Family of speeds, learned from a sample of them."""
    rng = np.random.default_rng([seed, 1])
    return limited([draw(rng) for _ in range(MODELS)], size, LIMITS)


def trial(true: Grid3D, family: Limited, rng: np.random.Generator, search: Annealing, seed: int, **window: float) -> Trial:
    """Make a window in a speed, and find its events, picks and speed.

    Parameters
    ----------
    true : Grid3D
        The true speed.
    family : Limited
        What is thought of it.
    rng : Generator
    search : Annealing
    seed : int
        Seed of the search.
    **window
        Parameters of `crossing`.
    """
    made = crossing(rng, true, **window)  # type: ignore[arg-type]
    n_events = len(made.events.time)
    unknown = Unknown(TimesOfCode(family, solver_of(NODE)))
    found = learn_crowded(made.picks, made.channels, made.rules, SPACING, unknown, search, seed, n_events)
    speed = family.model(found.code)
    error = float(np.sqrt(np.mean((speed.velocity["P"] - true.velocity["P"]) ** 2)))
    right, apart = accuracy(found.event, made.event), _apart(found, made)
    return Trial(made, true, found, speed, right, ceiling(made), error, float(np.sqrt(np.mean(apart**2))))


def catalogue(draw: Draw, family: Limited, search: Annealing, seed: int, **window: float) -> Trial:
    """A trial in a speed that is drawn at random; all that is random follows from the seed."""
    rng = np.random.default_rng(seed)
    return trial(draw(rng), family, rng, search, seed, **window)


def summary(trials: list[Trial]) -> str:
    """Means of the numbers of trials, and median and least accuracy, in a line."""
    rows = [(100 * t.accuracy, 100 * t.ceiling, t.speed_error, t.location_error, t.window.confusion) for t in trials]
    right, best, speed, places, confusion = np.mean(rows, axis=0)
    median, least = np.median(rows, axis=0)[0], np.min(rows, axis=0)[0]
    return (
        f"{len(trials)} catalogues: ACC {right:.1f} % (median {median:.1f}, least {least:.1f}), ceiling {best:.1f} %, "
        f"speed {speed:.2f} km/s, places {places:.1f} km, CF {confusion:.2f}"
    )


def _apart(found: Crowded, made: Crossing) -> Floats:
    """Distances, km, of events that were found and have a true one from this."""
    named = names(found.event, made.event)
    apart: Floats = np.linalg.norm(found.events.x[: len(named)] - made.events.x[named], axis=1)[named >= 0]
    return apart
