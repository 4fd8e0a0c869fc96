"""Located events, their uncertainty, and the files they go to: QuakeML and a CSV catalogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from vip.errors import VIPError
from vip.files import whole
from vip.forward.earthquakes.picks import OWN_EVENT, Picks
from vip.forward.earthquakes.stations import Stations

Floats = NDArray[np.float64]

LEVEL = 0.68
"""Confidence level of regions, as in NonLinLoc."""
KM_PER_DEGREE = 111.195
"""Of a great circle on a sphere of 6371 km."""
RESOURCE = re.compile(r"(smi|quakeml):\w[\w.\-*()~']{2,}/[\w.\-*()~'][\w.\-*()+?~'=,;#/&]*", re.ASCII)
"""A resource identifier of QuakeML 1.2."""


class Mode(NamedTuple):
    """One of several places where an event may have been."""

    weight: float
    """Share of the posterior."""
    position: Floats
    """(3,) km to the east and north, and depth."""
    covariance: Floats
    """(3, 3) km^2, axes east, north, down."""


class Arrivals(NamedTuple):
    """What the location says of each pick (n,), in the order of the picks of the event."""

    predicted: Floats
    """s after the origin time, station correction included."""
    residual: Floats
    """s, observed less predicted."""
    weight: Floats
    """In the location."""
    distance: Floats
    """km, from the epicentre."""
    azimuth: Floats
    """degrees clockwise from north, from the epicentre to the station."""


@dataclass(frozen=True, eq=False)
class Origin:
    """A located event. East and north are those of the local projection, km; depth is in km below sea level.

    Attributes
    ----------
    event : str
        Its name in the picks.
    time : datetime64
        UTC.
    time_uncertainty : float
        s, 1.4826 times the median absolute deviation: the standard deviation of a Gaussian.
    latitude, longitude : float
        degrees; or y and x, km, where the model is Cartesian.
    depth : float
        km.
    geographic : bool
        Whether these are degrees.
    mean, covariance : (3,), (3, 3) float
        Of the posterior: km to the east and north, and depth; km^2, axes east, north, down.
    modes : tuple of Mode
        The largest first.
    gap : float
        Largest angle between neighbouring stations as seen from the epicentre, degrees.
    nearest : float
        Distance of the nearest station, km.
    rms : float
        Weighted root mean square of the residuals, s.
    arrivals : Arrivals
        One entry for each pick.
    samples : (n, 3) float
        Of the posterior, as `mean`.
    sample_times : (n,) float
        Their origin times, s after `time`.
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

    @property
    def n_picks(self) -> int:
        """Number of picks."""
        return len(self.arrivals.residual)


class Ellipsoid(NamedTuple):
    """Region of confidence of a Gaussian in three dimensions. Its axes from the longest to the shortest."""

    semi_axes: Floats
    """(3,) km"""
    azimuths: Floats
    """(3,) degrees clockwise from north, of the end of each axis that points downwards."""
    plunges: Floats
    """(3,) degrees below the horizontal, 0 to 90."""
    rotation: float
    """Angle about the longest axis from the horizontal to the shortest axis, degrees: the third angle in QuakeML."""


class Ellipse(NamedTuple):
    """Region of confidence of the epicentre."""

    semi_major: float
    semi_minor: float
    """km"""
    azimuth: float
    """Of the long axis, degrees clockwise from north, 0 to 180."""


def confidence_ellipsoid(covariance: Floats, level: float = LEVEL) -> Ellipsoid:
    """The region that holds a Gaussian with a probability: chi-square of three degrees of freedom.

    Parameters
    ----------
    covariance : (3, 3) float
        km^2, axes east, north, down.
    level : float
        Probability.

    Notes
    -----
    QuakeML 1.2 (ConfidenceEllipsoid) turns axes north, east, down by azimuth, plunge and rotation, in this order, about the
    down, the new east and the new north axis. These then are the longest, the shortest and the intermediate axis.
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
    """The region that holds the epicentre with a probability, from a covariance (3, 3): chi-square of two degrees."""
    values, vectors = np.linalg.eigh(np.asarray(covariance)[:2, :2])
    semi_minor, semi_major = np.sqrt(chi2.ppf(level, 2) * np.maximum(values, 0))
    azimuth = np.degrees(np.arctan2(vectors[0, 1], vectors[1, 1])) % 180
    return Ellipse(float(semi_major), float(semi_minor), float(azimuth))


def azimuthal_gap(azimuths: Floats) -> float:
    """Largest angle, degrees, between neighbours among azimuths (n,) of stations; 360 for one."""
    ordered = np.sort(np.asarray(azimuths, dtype=float) % 360)
    return float(np.diff(ordered, append=ordered[0] + 360).max())


def write_csv(origins: Sequence[Origin], file: Path, level: float = LEVEL) -> None:
    """A catalogue, one row an event.

    Columns: time (UTC), latitude and longitude (or y and x, km), depth (km), standard deviations time_uncertainty (s),
    sigma_east, sigma_north and sigma_down (km), the axes of the ellipse of the epicentre (km, degrees), quality and number of
    modes.
    """
    names = ("latitude", "longitude") if all(origin.geographic for origin in origins) else ("y", "x")
    rows = [_csv_row(origin, names, level) for origin in origins]
    with whole(file) as part:
        pd.DataFrame(rows).to_csv(part, index=False, float_format="%.6f", lineterminator="\n")


def _csv_row(origin: Origin, names: tuple[str, str], level: float) -> dict[str, object]:
    ellipse = horizontal_ellipse(origin.covariance, level)
    east, north, down = np.sqrt(np.diag(origin.covariance))
    return {
        "event": origin.event,
        "time": f"{origin.time.astype('datetime64[us]')}Z",
        names[0]: origin.latitude,
        names[1]: origin.longitude,
        "depth": origin.depth,
        "time_uncertainty": origin.time_uncertainty,
        "sigma_east": east,
        "sigma_north": north,
        "sigma_down": down,
        "semi_major": ellipse.semi_major,
        "semi_minor": ellipse.semi_minor,
        "azimuth": ellipse.azimuth,
        "picks": origin.n_picks,
        "gap": origin.gap,
        "nearest": origin.nearest,
        "rms": origin.rms,
        "modes": len(origin.modes),
    }


def write_quakeml(origins: Sequence[Origin], picks: Picks, stations: Stations, file: Path, level: float = LEVEL) -> None:
    """Events with their picks, origins and arrivals, checked against the schema of QuakeML 1.2.

    Picks that came from QuakeML keep their resource identifiers; other names become identifiers under smi:local.

    Raises
    ------
    VIPError
        If an origin is not in degrees, which QuakeML needs, or the file cannot be written.
    """
    try:
        from obspy.core.event import Catalog
    except ImportError as error:
        raise VIPError(f"{file}: QuakeML needs obspy: pip install 'vip-inversion[seismology]'") from error
    for origin in origins:
        if not origin.geographic:
            raise VIPError(f"{file}: event {origin.event}: QuakeML needs degrees; write a CSV catalogue, or give a projection")
    index = {event: i for i, event in enumerate(picks.events)}
    times = picks.absolute_time()
    events = []
    for origin in origins:
        rows = range(*picks.start[index[origin.event] : index[origin.event] + 2])
        events.append(_quakeml_event(origin, rows, picks, times, stations, level))
    with whole(file) as part:
        Catalog(events=events).write(str(part), format="QUAKEML", validate=True)


def _identifier(name: str, prefix: str) -> str:
    return name if RESOURCE.fullmatch(name) else prefix + re.sub(r"[^\w.\-*()~']", "_", name, flags=re.ASCII)


def _quakeml_event(
    origin: Origin, rows: range, picks: Picks, times: NDArray[np.datetime64], stations: Stations, level: float
) -> Any:
    from obspy import UTCDateTime
    from obspy.core.event import Arrival, Event, Pick, ResourceIdentifier, WaveformStreamID

    name = _identifier(origin.event, OWN_EVENT)
    arrivals, written = origin.arrivals, []
    located = _quakeml_origin(origin, name, [stations.names[picks.station[row]] for row in rows], level)
    for i, row in enumerate(rows):
        network, _, code = stations.names[picks.station[row]].rpartition(".")
        pick = Pick(
            resource_id=ResourceIdentifier(_identifier(picks.source[row], f"{name}/pick/")),
            time=UTCDateTime(str(times[row])),
            time_errors={"uncertainty": float(picks.sigma[row])},
            waveform_id=WaveformStreamID(network_code=network, station_code=code),
            phase_hint=str(picks.phase[row]),
        )
        arrival = Arrival(
            resource_id=ResourceIdentifier(f"{name}/arrival/{i + 1}"),
            pick_id=pick.resource_id,
            phase=str(picks.phase[row]),
            time_residual=float(arrivals.residual[i]),
            time_weight=float(arrivals.weight[i]),
            distance=float(arrivals.distance[i]) / KM_PER_DEGREE,
            azimuth=float(arrivals.azimuth[i]),
        )
        written.append(pick)
        located.arrivals.append(arrival)
    event = Event(resource_id=ResourceIdentifier(name), picks=written, origins=[located])
    event.preferred_origin_id = located.resource_id
    return event


def _quakeml_origin(origin: Origin, name: str, stations: Sequence[str], level: float) -> Any:
    """Lengths in m, as QuakeML has them; standard deviations with a confidence level of 68.3 %."""
    from obspy import UTCDateTime
    from obspy.core.event import Origin as QuakeMLOrigin
    from obspy.core.event import OriginQuality, ResourceIdentifier

    east, north, down = np.sqrt(np.diag(origin.covariance))
    across = KM_PER_DEGREE * np.cos(np.radians(origin.latitude))
    deviations = (origin.time_uncertainty, north / KM_PER_DEGREE, east / across, down * 1000)
    errors = [{"uncertainty": float(value), "confidence_level": 68.3} for value in deviations]
    distances = origin.arrivals.distance / KM_PER_DEGREE
    quality = OriginQuality(
        associated_phase_count=origin.n_picks,
        used_phase_count=int((origin.arrivals.weight > 0).sum()),
        associated_station_count=len(set(stations)),
        used_station_count=len({code for code, w in zip(stations, origin.arrivals.weight, strict=True) if w > 0}),
        standard_error=origin.rms,
        azimuthal_gap=origin.gap,
        minimum_distance=origin.nearest / KM_PER_DEGREE,
        maximum_distance=float(distances.max()),
        median_distance=float(np.median(distances)),
    )
    return QuakeMLOrigin(
        resource_id=ResourceIdentifier(f"{name}/origin"),
        time=UTCDateTime(str(origin.time)),
        latitude=origin.latitude,
        longitude=origin.longitude,
        depth=origin.depth * 1000,
        time_errors=errors[0],
        latitude_errors=errors[1],
        longitude_errors=errors[2],
        depth_errors=errors[3],
        quality=quality,
        origin_uncertainty=_quakeml_uncertainty(origin.covariance, level),
        evaluation_mode="automatic",
    )


def _quakeml_uncertainty(covariance: Floats, level: float) -> Any:
    from obspy.core.event import ConfidenceEllipsoid, OriginUncertainty

    ellipsoid, ellipse = confidence_ellipsoid(covariance, level), horizontal_ellipse(covariance, level)
    major, intermediate, minor = (1000 * float(length) for length in ellipsoid.semi_axes)
    return OriginUncertainty(
        preferred_description="confidence ellipsoid",
        min_horizontal_uncertainty=1000 * ellipse.semi_minor,
        max_horizontal_uncertainty=1000 * ellipse.semi_major,
        azimuth_max_horizontal_uncertainty=ellipse.azimuth,
        confidence_level=100 * level,
        confidence_ellipsoid=ConfidenceEllipsoid(
            semi_major_axis_length=major,
            semi_intermediate_axis_length=intermediate,
            semi_minor_axis_length=minor,
            major_axis_plunge=float(ellipsoid.plunges[0]),
            major_axis_azimuth=float(ellipsoid.azimuths[0]),
            major_axis_rotation=ellipsoid.rotation,
        ),
    )
