"""What is not given is learned from the picks: standard deviations by phase, and how often a wave is picked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.window.associate import Association, associate
from vip.forward.association.window.channels import Arrivals, Channels
from vip.forward.association.window.fit import Rules
from vip.forward.association.window.search import Grid
from vip.protocols import Floats

FIRST = {"P": 0.2, "S": 0.3}
"""Standard deviations, s, from which learning starts, and which stay where there are too few residuals."""
DETECTION = 0.7
"""Probability of a pick from which learning starts."""
ENOUGH = 30
"""Least number of residuals from which a standard deviation is learned."""
SIGMAS, DETECTIONS = (0.02, 1.0), (0.3, 0.98)
"""Limits of what is learned, s and probability."""
SAMPLE = 1000
"""Number of picks in the middle of the record from which it is learned."""
ROUNDS = 2
"""Number of associations of the sample."""
GAUSSIAN = 1.4826
"""Standard deviation of a Gaussian over its median absolute deviation."""


class Learned(NamedTuple):
    """What is assumed of all picks that do not say it themselves."""

    sigma: dict[str, float]
    """Standard deviation, s, by phase."""
    detection: float
    """Probability that a wave within reach is picked."""


def learn(
    picks: Arrivals, channels: Channels, nodes: Grid, rules: Rules, detection: float | None, threads: int
) -> tuple[Learned, Rules]:
    """Standard deviations of picks without one and, unless it is given, the probability of a pick; and the rules with it."""
    known = Learned(dict(FIRST), DETECTION if detection is None else detection)
    rules = rules._replace(detection=known.detection)
    if detection is not None and np.isfinite(picks.sigma).all():
        return known, rules
    sample = picks.of(middle(picks.time))
    for _ in range(ROUNDS):
        found = associate(with_sigma(sample, channels, known.sigma), channels, nodes, rules, threads)
        known = Learned(_sigmas(sample, channels, found, known.sigma), _detection(found) if detection is None else detection)
        rules = rules._replace(detection=known.detection)
    return known, rules


def middle(time: Floats) -> NDArray[np.bool_]:
    """Which of the picks (n,) are the `SAMPLE` in the middle of the record."""
    rank = np.argsort(np.argsort(time, kind="stable"), kind="stable")
    start = max(0, (len(time) - SAMPLE) // 2)
    return (rank >= start) & (rank < start + SAMPLE)


def with_sigma(picks: Arrivals, channels: Channels, sigma: Mapping[str, float]) -> Arrivals:
    """The picks, those without a standard deviation with that of their phase."""
    of_phase = np.array([sigma[phase] for phase in channels.phase.tolist()])[picks.channel]
    return picks._replace(sigma=np.where(np.isfinite(picks.sigma), picks.sigma, of_phase))


def residuals(picks: Arrivals, channels: Channels, found: Association) -> Floats:
    """Observed less predicted times (n,), s, not a number for picks of no event."""
    residual = np.full(len(picks.time), np.nan)
    own = np.flatnonzero(found.event >= 0)
    if len(own):
        time, _ = channels.travel_times(found.events.x)
        event = found.event[own]
        residual[own] = picks.time[own] - found.events.time[event] - time[event, picks.channel[own]]
    return residual


def _sigmas(picks: Arrivals, channels: Channels, found: Association, before: Mapping[str, float]) -> dict[str, float]:
    residual = residuals(picks, channels, found)
    own = np.isfinite(residual)
    free = own.sum() - 4 * len(found.events.time)  # each event has four unknowns, which its residuals pay for
    lost = np.sqrt(min(4.0, own.sum() / max(free, 1)))
    sigmas = dict(before)
    for phase in before:
        of_phase = np.abs(residual[own & (channels.phase[picks.channel] == phase)])
        if len(of_phase) >= ENOUGH:
            sigmas[phase] = float(np.clip(GAUSSIAN * np.median(of_phase) * lost, *SIGMAS))
    return sigmas


def _detection(found: Association) -> float:
    """Share of the waves within reach that were picked."""
    within = found.events.reach.sum()
    return float(np.clip((found.event >= 0).sum() / within, *DETECTIONS)) if within else DETECTION
