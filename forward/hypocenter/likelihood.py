"""How well hypocentres explain picks: equal differential times, or Gaussian errors with the origin time as an unknown."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from kernels_c.edt import log_edt

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class Accuracy(NamedTuple):
    """Of predicted travel times: a fraction of them between bounds, s (eq. 14 of Smith et al. 2022)."""

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
    """Picks of some events, those of each together."""

    time: Floats
    """(n_picks,) s after the event's reference time."""
    variance: Floats
    """(n_picks,) s^2, of the pick alone."""
    weight: Floats
    """(n_picks,)"""
    start: Ints
    """(n_events + 1,) where the picks of each event begin."""

    def summed(self, by_pick: Floats) -> Floats:
        """Sums (..., n_events) over the picks of each event of values (..., n_picks)."""
        total: Floats = np.add.reduceat(by_pick, self.start[:-1], axis=-1)
        return total

    def spread(self, by_event: Floats) -> Floats:
        """Values (..., n_picks) for each pick from those (..., n_events) of its event."""
        return np.repeat(by_event, np.diff(self.start), axis=-1)


class Likelihood(Protocol):
    """Log-likelihood of predicted travel times."""

    has_origin_time: bool
    """Whether the origin time is one of the unknowns."""

    def __call__(self, readings: Readings, travel_time: Floats, origin_time: Floats) -> tuple[Floats, Floats, Floats]:
        """For travel times (n, n_picks) and origin times (n, n_events), s: values (n, n_events), and derivatives by both."""


class EDT(NamedTuple):
    """Equal differential times: the log of eq. 11 of Smith et al. (2022), in which no origin time occurs.

    Every pair of picks votes for the hypocentres that explain its difference, and votes are added, so that a false pick costs
    its votes and no more.

    Parameters
    ----------
    accuracy : Accuracy
    exponent : "calibrated", "picks" or "pairs"
        The power N of eq. 11: the number of pairs, as published, makes regions too small by the root of the number of picks;
        the number of picks is NonLinLoc's. The calibrated one makes them as wide as the estimate scatters, for many picks
        with errors of equal size: `PER_PICK` times the number of picks less one.
    """

    accuracy: Accuracy
    exponent: str = "calibrated"

    has_origin_time = False

    def __call__(self, readings: Readings, travel_time: Floats, origin_time: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Likelihood`."""
        predicted, slope = self.accuracy.variance(travel_time)
        value, by_residual, by_variance = log_edt(
            readings.time - travel_time, readings.variance + predicted, readings.start, readings.weight
        )
        power = self.power(np.diff(readings.start))
        by_time = readings.spread(power) * (by_variance * slope - by_residual)
        return power * value, by_time, np.zeros((len(value), 0))

    def power(self, n_picks: Ints) -> Floats:
        """N for events with so many picks."""
        powers = {"calibrated": PER_PICK * (n_picks - 1), "picks": n_picks, "pairs": n_picks * (n_picks - 1) / 2}
        return np.asarray(powers[self.exponent], float)


PER_PICK = 8 * np.sqrt(2) / 9
"""For many errors of equal size: where ``sum exp(-(r_a - r_b)^2 / 2)`` is largest scatters with ``27 / (16 sqrt(2))`` of the
variance of least squares, and its logarithm has ``2 / (3 (n - 1))`` of their curvature. This makes the curvature one over the
variance; tests show that regions then hold what they should from six picks on."""


class Gaussian(NamedTuple):
    """Independent Gaussian errors: eqs. 9 and 10 of Smith et al. (2022), normalised, as variances depend on the hypocentre."""

    accuracy: Accuracy

    has_origin_time = True

    def __call__(self, readings: Readings, travel_time: Floats, origin_time: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Likelihood`."""
        predicted, slope = self.accuracy.variance(travel_time)
        variance = readings.variance + predicted
        residual = readings.time - travel_time - readings.spread(origin_time)
        pull = readings.weight * residual / variance
        value = -0.5 * readings.summed(pull * residual + readings.weight * np.log(2 * np.pi * variance))
        by_time = pull + 0.5 * slope * (pull * residual - readings.weight) / variance
        return value, by_time, readings.summed(pull)
