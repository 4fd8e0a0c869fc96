"""What to know before the posterior of an association is sampled: region, rates of stations, coincidences."""

from __future__ import annotations

import numpy as np

from vip.forward.association.record.border import at_border, too_small
from vip.forward.association.record.gathering import Associated
from vip.forward.association.record.windows import whole

TRIALS = 3
"""Number of records of chance picks in which events are counted."""
GOLDEN = (np.sqrt(5) - 1) / 2
"""Shifts of stations are multiples of this share of the record, which keeps any two apart."""


def facts(association: Associated) -> list[tuple[str, str]]:
    """Names and values of what `vip check` shows."""
    inputs, found, located = association[:3]
    box, learned = inputs.site.box, association.finder.learned
    used = int((found.event >= 0).sum())
    extent = " x ".join(f"{length:.0f}" for length in box.upper - box.lower)
    sigma = ", ".join(f"{phase} {value:.3f} s" for phase, value in learned.sigma.items())
    return [
        ("events", f"{len(located.origins)}, with {used} of {len(found.event)} picks"),
        ("origin times", f"s after {inputs.reference} UTC"),
        (
            "region",
            f"{extent} km; "
            + ("; ".join(too_small(at_border(located.origins, box))) or "no more than a few events at its border"),
        ),
        ("errors of picks without one", sigma),
        ("probability of a pick", f"{learned.detection:.2f} within reach of the event"),
        ("picks an hour by station", _rates(association)),
        ("events of chance expected", f"{coincidences(association):.2g} in the picks of no event"),
    ]


def coincidences(association: Associated) -> float:
    """Mean number of events in the picks of no event, when those of each station are shifted in time, end to beginning."""
    channels, nodes, rules = association.inputs.site.channels, association.finder.nodes, association.finder.rules
    picks = association.inputs.arrivals.of(association.found.event < 0)
    if not len(picks.time):
        return 0.0
    start, length = picks.time.min(), float(np.ptp(picks.time)) + 1.0
    counts = []
    for trial in range(1, TRIALS + 1):
        shift = (channels.station[picks.channel] * trial * GOLDEN) % 1 * length
        shifted = picks._replace(time=start + (picks.time - start + shift) % length)
        found = whole(shifted.of(np.lexsort((shifted.time, shifted.channel))), channels, nodes, rules)
        counts.append(len(found.events.time))
    return float(np.mean(counts))


def _rates(association: Associated) -> str:
    """Rates of picks of every station, the busiest first."""
    inputs, network, channels = association.inputs, association.inputs.site.network, association.inputs.site.channels
    hours = max(float(np.ptp(inputs.arrivals.time)), 1.0) / 3600
    counts = np.bincount(channels.station[inputs.arrivals.channel], minlength=len(network.place)) / hours
    names = network.stations.names
    return ", ".join(f"{names[i]} {counts[i]:.0f}" for i in np.argsort(-counts, kind="stable"))
