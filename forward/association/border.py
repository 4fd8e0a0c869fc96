"""Events at the border of the region: what is beyond it is given wrong places inside, and its picks to other events."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np

from vip.forward.association.located import Located
from vip.forward.earthquakes.traveltimes.tables import Box

log = logging.getLogger(__name__)

FEW = 0.02
"""Share of the events at a border up to which it is no sign that the region ends too early."""


def too_small(located: Located, box: Box) -> Iterator[str]:
    """Say which share of the events lie at the sides or at the bottom of a region, where it is more than a few."""
    if not located.origins:
        return
    place = np.array([origin.mean for origin in located.origins])
    spread = np.sqrt([np.diag(origin.covariance) for origin in located.origins])
    below, above = place - spread < box.lower, place + spread > box.upper
    sides, bottom = (below | above)[:, :2].any(axis=1), above[:, 2]
    for border, near, remedy in (("sides", sides, "margin"), ("bottom", bottom, "depth")):
        share = float(near.mean())
        if share > FEW:
            yield (
                f"{near.sum()} of {len(place)} events ({share:.0%}) lie within one standard deviation of the {border} of the"
                f" region: events beyond are given wrong places, and their picks to others; make the {remedy} larger"
            )


def warn_of_border(located: Located, box: Box) -> None:
    """Warn the user where events lie at the border of the region."""
    for message in too_small(located, box):
        log.warning("%s", message)
