"""What finding events in a window of a record needs besides its picks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.record.inputs import Site, log_weights, seconds
from vip.forward.association.window.channels import Arrivals
from vip.forward.association.window.fit import Rules
from vip.forward.association.window.learning import Learned, with_sigma
from vip.forward.association.window.search import Grid

SPACING = 5.0
"""Spacing, km, of the nodes on which events are sought first, as far as their number is within these limits."""
LEAST_NODES, MOST_NODES = 1000, 50_000


class Finder(NamedTuple):
    """All that finding events in a window needs besides its picks."""

    site: Site
    nodes: Grid
    rules: Rules
    reference: np.datetime64
    probability: float
    learned: Learned

    def arrivals(self, picks: NDArray[np.void]) -> Arrivals:
        """Picks in their order, those without a standard deviation with that of their phase."""
        channel = self.site.channel(picks["station"], np.where(picks["is_s"], "S", "P"))
        time, weight = seconds(picks["time"], self.reference), log_weights(picks["probability"], self.probability)
        return with_sigma(Arrivals(channel, time, picks["sigma"], weight), self.site.channels, self.learned.sigma)


class Sample(NamedTuple):
    """Picks from which something is learned."""

    finder: Finder
    arrivals: Arrivals
    """By channel and time; a standard deviation that is not given is not a number."""
    rate: float
    """Picks of a channel, 1/s."""


def spacing_of(rules: Rules) -> float:
    """Spacing, km, of the nodes on which events are sought, if it is not given."""
    volume = rules.volume
    return float(np.clip(SPACING, np.cbrt(volume / MOST_NODES), np.cbrt(volume / LEAST_NODES)))
