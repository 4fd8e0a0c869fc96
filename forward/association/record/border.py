"""Events at the border of the region: what is beyond it is given wrong places inside, and its picks to other events."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vip.forward.earthquakes.origins import Origin
from vip.forward.earthquakes.traveltimes.tables import Box

log = logging.getLogger(__name__)

FEW = 0.02
"""Share of the events at a border up to which it is no sign that the region ends too early."""


class AtBorder(NamedTuple):
    """Numbers of events that lie within one standard deviation of the sides and of the bottom of a region."""

    events: int = 0
    sides: int = 0
    bottom: int = 0

    def and_(self, others: AtBorder) -> AtBorder:
        """These and those of another part."""
        return AtBorder(self.events + others.events, self.sides + others.sides, self.bottom + others.bottom)


def at_border(origins: Sequence[Origin], box: Box) -> AtBorder:
    """Count the events near to the borders of a region."""
    if not origins:
        return AtBorder()
    place = np.array([origin.mean for origin in origins])
    spread = np.sqrt([np.diag(origin.covariance) for origin in origins])
    below, above = place - spread < box.lower, place + spread > box.upper
    return AtBorder(len(place), int((below | above)[:, :2].any(axis=1).sum()), int(above[:, 2].sum()))


def too_small(near: AtBorder) -> Iterator[str]:
    """Say how many of the events lie at the sides or at the bottom of a region, where it is more than a few."""
    for border, n, remedy in (("sides", near.sides, "margin"), ("bottom", near.bottom, "depth")):
        if n > FEW * near.events:
            yield (
                f"{n} of {near.events} events ({n / near.events:.0%}) lie within one standard deviation of the {border} of the"
                f" region: events beyond are given wrong places, and their picks to others; make the {remedy} larger"
            )


def warn_of(near: AtBorder) -> None:
    """Warn the user where events lie at the border of the region."""
    for message in too_small(near):
        log.warning("%s", message)
