"""Likelihoods of hypocentres: equal differential times, or Gaussian errors with the origin time as an unknown."""

from __future__ import annotations

import itertools
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vip.kernels_c.edt import log_edt
from vip.protocols import Floats

Ints = NDArray[np.intp]


class Accuracy(NamedTuple):
    """Accuracy of predicted travel times: a fraction of them between bounds, s (eq. 14 of Smith et al. 2022)."""

    fraction: float
    least: float
    most: float

    def variance(self, time: Floats) -> tuple[Floats, Floats]:
        """Variances, s^2, of travel times, s, and their derivatives by the times.

        Examples
        --------
        >>> variance, slope = Accuracy(0.1, 0.1, 2.0).variance(np.array([0.5, 10.0, 50.0]))
        >>> variance.round(2).tolist(), slope.round(2).tolist()
        ([0.01, 1.0, 4.0], [0.0, 0.2, 0.0])
        """
        sigma = np.clip(self.fraction * time, self.least, self.most)
        varies = (self.fraction * time > self.least) & (self.fraction * time < self.most)
        return sigma**2, np.where(varies, 2 * self.fraction**2 * time, 0.0)


class Readings(NamedTuple):
    """Picks of some events, one event after the other."""

    time: Floats
    """Times (n_picks,), s after the event's reference time."""
    variance: Floats
    """Variances (n_picks,), s^2, of the picks alone."""
    weight: Floats
    """Weights (n_picks,)."""
    start: Ints
    """Index of the first pick of each event (n_events + 1,)."""

    def summed(self, by_pick: Floats) -> Floats:
        """Sums (..., n_events) over the picks of each event of values (..., n_picks)."""
        total: Floats = np.add.reduceat(by_pick, self.start[:-1], axis=-1)
        return total

    def spread(self, by_event: Floats) -> Floats:
        """Values (..., n_picks) that each pick takes from those (..., n_events) of its event."""
        return np.repeat(by_event, np.diff(self.start), axis=-1)


class Likelihood(Protocol):
    """Log-likelihood of predicted travel times."""

    @property
    def has_origin_time(self) -> bool:
        """Whether the origin time is one of the unknowns."""

    def __call__(self, readings: Readings, travel_time: Floats, origin_time: Floats) -> tuple[Floats, Floats, Floats]:
        """Log-likelihoods (n, n_events) of travel times (n, n_picks) and origin times (n, n_events), s; derivatives by both."""

    def power(self, readings: Readings) -> Floats:
        """Factor of the value of each event (n_events,) that makes regions of the right size."""


class EDT(NamedTuple):
    """Equal differential times: the log of the sum of eq. 11 of Smith et al. (2022), in which no origin time occurs.

    Every pair of picks votes for the hypocentres that explain its difference, and votes are added, so that a false pick costs
    its votes and no more.

    Parameters
    ----------
    accuracy : Accuracy
    exponent : "calibrated", "picks" or "pairs"
        The power N of eq. 11: the number of pairs, as published, makes regions too small by the root of the number of picks;
        the number of picks is NonLinLoc's. The calibrated one makes them as wide as the estimate scatters, see `calibrated`.
    """

    accuracy: Accuracy
    exponent: str = "calibrated"

    @property
    def has_origin_time(self) -> bool:
        """Whether the origin time is one of the unknowns."""
        return False

    def __call__(self, readings: Readings, travel_time: Floats, origin_time: Floats) -> tuple[Floats, Floats, Floats]:
        """Values and derivatives, see `Likelihood`."""
        predicted, slope = self.accuracy.variance(travel_time)
        value, by_residual, by_variance = log_edt(
            readings.time - travel_time, readings.variance + predicted, readings.start, readings.weight
        )
        return value, by_variance * slope - by_residual, np.zeros((len(value), 0))

    def power(self, readings: Readings) -> Floats:
        """Power N of each event. Travel times, which errors depend on, are taken to begin with the first pick."""
        n: Floats = np.diff(readings.start).astype(float)
        if self.exponent == "picks":
            return n
        if self.exponent == "pairs":
            n *= (n - 1) / 2
            return n
        since = readings.time - readings.spread(np.minimum.reduceat(readings.time, readings.start[:-1]))
        variance = readings.variance + self.accuracy.variance(since)[0]
        events = itertools.pairwise(readings.start)
        return np.array([calibrated(variance[a:b], readings.weight[a:b]) for a, b in events])


MANY = 100
"""Largest number of picks that are used: of more, this many stand for all."""
NODES, MASS = np.polynomial.hermite_e.hermegauss(16)


def calibrated(variance: Floats, weight: Floats) -> float:
    """The power that makes the curvature of equal differential times one over the variance of their estimate.

    With ``S = sum_ab w_ab exp(-(r_a - r_b)^2 / s_ab)``, ``s_ab`` the sum of two variances and ``w_ab`` the product of two
    weights over its root, the expected curvature of log S is a sum over picks of ``2 / (3 sqrt(3)) sum_b w_ab / s_ab / S``, and
    the variance of its slope one of the square of ``sum_b w_ab E[exp(-(r_a - r_b)^2 / s_ab) 2 (r_a - r_b) / s_ab | r_a] / S``
    (Hajek's projection of a sum over pairs); slopes of travel times count alike on average. With errors of equal size the
    ratio of the two is ``8 sqrt(2) / 9`` times the number of picks; one pick less suits few. Tests show that regions then
    hold what they should from six picks on.

    Parameters
    ----------
    variance : (n,) float
        Variances of residuals, s^2.
    weight : (n,) float

    Examples
    --------
    >>> float(round(calibrated(np.full(10, 0.04), np.ones(10)) / (10 - 1) / (8 * np.sqrt(2) / 9), 4))
    1.0
    """
    n = len(variance)
    chosen = np.argsort(variance, kind="stable")[np.linspace(0, n - 1, min(n, MANY)).round().astype(int)]
    v, w = variance[chosen], weight[chosen]
    s = v[:, None] + v
    share = w[:, None] * w / np.sqrt(s)
    np.fill_diagonal(share, 0.0)
    error, width = np.sqrt(v)[:, None] * NODES, s / 2 + v  # given r_a, exp(-d^2 / s) is a Gaussian of this width blurred by r_b
    each = (share * np.sqrt(s / 2) / width**1.5)[..., None] * np.exp(-(error[:, None] ** 2) / (2 * width[..., None]))
    scatter = np.sum((error * each.sum(axis=1)) ** 2 @ (MASS / MASS.sum()))
    curvature = 2 / (3 * np.sqrt(3)) * np.sum(share / s)
    return float(curvature * share.sum() / (2 * np.sqrt(3)) / scatter * (n - 1) / len(chosen))


class Gaussian(NamedTuple):
    """Independent Gaussian errors (Smith et al. 2022, eqs. 9 and 10), normalised, as variances depend on the hypocentre."""

    accuracy: Accuracy

    @property
    def has_origin_time(self) -> bool:
        """Whether the origin time is one of the unknowns."""
        return True

    def __call__(self, readings: Readings, travel_time: Floats, origin_time: Floats) -> tuple[Floats, Floats, Floats]:
        """Values and derivatives, see `Likelihood`."""
        predicted, slope = self.accuracy.variance(travel_time)
        variance = readings.variance + predicted
        residual = readings.time - travel_time - readings.spread(origin_time)
        pull = readings.weight * residual / variance
        value = -0.5 * readings.summed(pull * residual + readings.weight * np.log(2 * np.pi * variance))
        by_time = pull + 0.5 * slope * (pull * residual - readings.weight) / variance
        return value, by_time, readings.summed(pull)

    def power(self, readings: Readings) -> Floats:
        """Values and derivatives, see `Likelihood`."""
        return np.ones(len(readings.start) - 1)
