"""Located events and their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

from vip.protocols import Floats

LEVEL = 0.68
"""Confidence level of regions, as in NonLinLoc."""


class Mode(NamedTuple):
    """One of several places where an event may have been."""

    weight: float
    """Share of the posterior that belongs to this mode."""
    position: Floats
    """Position (3,): km to the east and north, and depth, km."""
    covariance: Floats
    """Covariance (3, 3), km^2, axes east, north, down."""


class Arrivals(NamedTuple):
    """Results of the location for each pick (n,), in the order of the picks of the event."""

    predicted: Floats
    """Predicted time, s after the origin time, station correction included."""
    residual: Floats
    """Observed less predicted time, s."""
    weight: Floats
    """Weight of the pick in the location."""
    distance: Floats
    """Distance from the epicentre, km."""
    azimuth: Floats
    """Azimuth from the epicentre to the station, degrees clockwise from north."""
    probability: Floats | None = None
    """Probability that the pick is of this event; None where the picks came with their event."""


@dataclass(frozen=True, eq=False)
class Origin:
    """A located event. East and north are those of the local projection, km; depth is in km below sea level.

    Attributes
    ----------
    event : str
        Name of the event in the picks.
    time : datetime64
        Origin time, UTC.
    time_uncertainty : float
        Uncertainty of the time, s: 1.4826 times the median absolute deviation, the standard deviation of a Gaussian.
    latitude, longitude : float
        Epicentre in degrees; or y and x, km, where the model is Cartesian.
    depth : float
        Depth, km.
    geographic : bool
        Whether latitude and longitude are degrees.
    mean, covariance : (3,), (3, 3) float
        Mean of the posterior, km to the east and north, and depth; its covariance, km^2, axes east, north, down.
    modes : tuple of Mode
        Modes of the posterior, the largest first.
    gap : float
        Largest angle between neighbouring stations as seen from the epicentre, degrees.
    nearest : float
        Distance of the nearest station, km.
    rms : float
        Weighted root mean square of the residuals, s.
    arrivals : Arrivals
        One entry for each pick.
    samples : (n, 3) float
        Samples of the posterior, with the axes of `mean`.
    sample_times : (n,) float
        Origin times of the samples, s after `time`.
    log_odds : float, optional
        Natural logarithm of the odds that there was an event, and no chance coincidence of picks, if this was asked.
    """

    event: str
    time: np.datetime64
    time_uncertainty: float
    latitude: float
    longitude: float
    depth: float
    geographic: bool
    mean: Floats
    covariance: Floats
    modes: tuple[Mode, ...]
    gap: float
    nearest: float
    rms: float
    arrivals: Arrivals
    samples: Floats
    sample_times: Floats
    log_odds: float | None = None

    @property
    def n_picks(self) -> int:
        """Number of picks."""
        return len(self.arrivals.residual)


class Ellipsoid(NamedTuple):
    """Region of confidence of a Gaussian in three dimensions, with its axes from the longest to the shortest."""

    semi_axes: Floats
    """Lengths (3,) of the semi-axes, km."""
    azimuths: Floats
    """Azimuths (3,) of the end of each axis that points downwards, degrees clockwise from north."""
    plunges: Floats
    """Plunges (3,) of the axes, degrees below the horizontal, 0 to 90."""
    rotation: float
    """Angle about the longest axis from the horizontal to the shortest axis, degrees: the third angle in QuakeML."""


class Ellipse(NamedTuple):
    """Region of confidence of the epicentre."""

    semi_major: float
    semi_minor: float
    """Length of the short semi-axis, km."""
    azimuth: float
    """Azimuth of the long axis, degrees clockwise from north, 0 to 180."""


def confidence_ellipsoid(covariance: Floats, level: float = LEVEL) -> Ellipsoid:
    """Ellipsoid that holds a share `level` of a Gaussian, by chi-square of three degrees of freedom.

    Parameters
    ----------
    covariance : (3, 3) float
        km^2, axes east, north, down.
    level : float
        Probability.

    Notes
    -----
    QuakeML 1.2 (ConfidenceEllipsoid) turns axes north, east, down by azimuth, plunge and rotation, in this order, about the
    down, the new east and the new north axis. They then are the longest, the shortest and the intermediate axis.
    """
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    vectors = vectors * np.where(vectors[2] < 0, -1, 1)
    east, north, down = vectors
    azimuths = np.degrees(np.arctan2(east, north)) % 360
    azimuth, plunge = np.radians(azimuths[0]), np.arcsin(np.clip(down[0], 0, 1))
    level_side = np.array([np.cos(azimuth), -np.sin(azimuth), 0.0])
    steep_side = np.array([-np.sin(plunge) * np.sin(azimuth), -np.sin(plunge) * np.cos(azimuth), np.cos(plunge)])
    rotation = np.degrees(np.arctan2(vectors[:, 2] @ steep_side, vectors[:, 2] @ level_side))
    semi_axes = np.sqrt(chi2.ppf(level, 3) * values)
    return Ellipsoid(semi_axes, azimuths, np.degrees(np.arcsin(np.clip(down, 0, 1))), float(rotation))


def horizontal_ellipse(covariance: Floats, level: float = LEVEL) -> Ellipse:
    """Ellipse that holds the epicentre with a probability, from a covariance (3, 3): chi-square of two degrees of freedom."""
    values, vectors = np.linalg.eigh(np.asarray(covariance)[:2, :2])
    semi_minor, semi_major = np.sqrt(chi2.ppf(level, 2) * np.maximum(values, 0))
    azimuth = np.degrees(np.arctan2(vectors[0, 1], vectors[1, 1])) % 180
    return Ellipse(float(semi_major), float(semi_minor), float(azimuth))


def azimuthal_gap(azimuths: Floats) -> float:
    """Largest angle, degrees, between neighbours among azimuths (n,) of stations; 360 for one."""
    ordered = np.sort(np.asarray(azimuths, dtype=float) % 360)
    return float(np.diff(ordered, append=ordered[0] + 360).max())
