"""QuakeML 1.2: picks of events, and located events with their uncertainty."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.earth import KM_PER_DEGREE
from vip.errors import ConfigError, VIPError
from vip.files import whole
from vip.forward.earthquakes.origins import LEVEL, Origin, confidence_ellipsoid, horizontal_ellipse
from vip.forward.earthquakes.picks import COLUMNS, Picks, with_times
from vip.forward.earthquakes.stations import Stations, code_of
from vip.protocols import Floats

OWN_EVENT = "smi:local/event/"
"""Prefix, in QuakeML written here, of an event's name that is not a resource identifier."""
RESOURCE = re.compile(r"(smi|quakeml):\w[\w.\-*()~']{2,}/[\w.\-*()~'][\w.\-*()+?~'=,;#/&]*", re.ASCII)
"""Pattern of a resource identifier of QuakeML 1.2."""


def read_picks(content: bytes, file: Path, of_events: bool = True) -> pd.DataFrame:
    """Picks as text, with their times in UTC.

    Parameters
    ----------
    content : bytes
    file : Path
        What errors name.
    of_events : bool
        Whether to read only the picks that the preferred origin of their event refers to, if it refers to any.

    Raises
    ------
    ConfigError
        If the file is not QuakeML, or obspy is not installed.
    """
    try:
        from obspy import read_events
    except ImportError as error:
        raise ConfigError("", file, "QuakeML needs obspy: pip install 'vip-inversion[seismology]'") from error
    try:
        catalogue = read_events(_all_in_events(content), format="QUAKEML")
    except Exception as error:  # a damaged file may raise anything
        raise ConfigError("", file, f"is not QuakeML: {error}") from error
    rows = [row for event in catalogue for row in _pick_rows(event, of_events)]
    if not of_events:
        return with_times(pd.DataFrame(rows, columns=COLUMNS, dtype=object))
    empty = {event.resource_id.id.removeprefix(OWN_EVENT) for event in catalogue} - {row[0] for row in rows}
    rows += [(event, "", "", "", "", "0", "no picks", "", "", "") for event in sorted(empty)]  # reported as a fault, not lost
    return with_times(pd.DataFrame(rows, columns=COLUMNS, dtype=object))


def _all_in_events(content: bytes) -> BytesIO:
    """The content, with picks outside of events, as detectors write them, put into an event without a name."""
    from lxml import etree  # type: ignore[import-untyped]

    root = etree.fromstring(content)
    for parameters in root.findall("{*}eventParameters"):
        loose = parameters.findall("{*}pick")
        if loose:
            event = etree.SubElement(parameters, loose[0].tag.removesuffix("pick") + "event", publicID=OWN_EVENT)
            event.extend(loose)  # which takes them from where they were
    return BytesIO(etree.tostring(root))


def _pick_rows(event: Any, of_origin: bool) -> Iterator[tuple[str, ...]]:
    """Rows of an event's picks. The weights of an earlier location are its results, not data: they are not read."""
    name = event.resource_id.id.removeprefix(OWN_EVENT)
    picks = {pick.resource_id.id: pick for pick in event.picks if pick.evaluation_status != "rejected"}
    origin = event.preferred_origin() or next(iter(event.origins), None)
    phases = {
        arrival.pick_id.id: arrival.phase for arrival in (origin.arrivals if origin and of_origin else ()) if arrival.pick_id
    }
    for identifier, phase in (phases or dict.fromkeys(picks)).items():
        if identifier not in picks:
            continue
        pick = picks[identifier]
        stream, errors = pick.waveform_id, pick.time_errors
        code = (stream.station_code if stream else "") or ""
        station = f"{stream.network_code}.{code}" if stream and stream.network_code else code
        sigma = errors.uncertainty
        if sigma is None and None not in (errors.lower_uncertainty, errors.upper_uncertainty):
            sigma = (errors.lower_uncertainty + errors.upper_uncertainty) / 2
        shown = "" if sigma is None else repr(float(sigma))
        hint = phase or pick.phase_hint or ""
        yield name, station, hint, str(pick.time or ""), shown, "", identifier, identifier, "", ""


def write_origins(origins: Sequence[Origin], picks: Picks, stations: Stations, file: Path, level: float = LEVEL) -> None:
    """Write events with their picks, origins and arrivals, checked against the schema of QuakeML 1.2.

    Raises
    ------
    VIPError
        See `catalog`; or if the file cannot be written.
    """
    with growing(file, level) as add:
        add(origins, picks, stations)


@contextmanager
def growing(file: Path, level: float = LEVEL) -> Iterator[Callable[[Sequence[Origin], Picks, Stations], None]]:
    """A function to write parts of a catalogue with, as `write_origins` writes it; the file is there when all are written."""
    with whole(file) as part, part.open("wb") as opened:
        last = [b""]

        def add(origins: Sequence[Origin], picks: Picks, stations: Stations) -> None:
            try:
                text = _text(catalog(origins, picks, stations, level))
            except VIPError as error:
                raise VIPError(f"{file}: {error}") from error
            beginning, event, others = text.partition(b"<event ")
            body, *end = others.rpartition(b"</eventParameters>")
            if event:
                opened.write((b"\n    " if opened.tell() else beginning) + event + body.rstrip())
                last[0] = b"\n  " + b"".join(end)
            elif not opened.tell():
                last[0] = text

        yield add
        opened.write(last[0])


def _text(catalogue: Any) -> bytes:
    content = BytesIO()
    catalogue.write(content, format="QUAKEML", validate=True)
    return content.getvalue()


def catalog(origins: Sequence[Origin], picks: Picks, stations: Stations, level: float = LEVEL) -> Any:
    """Events with their picks, origins and arrivals, as obspy's `Catalog`.

    Picks that came from QuakeML keep their resource identifiers; other names become identifiers under smi:local. Of an
    associator, comments hold the probability of each arrival and the log-odds of each event.

    Raises
    ------
    VIPError
        If obspy is not installed, or an origin is not in degrees, which QuakeML needs.
    """
    try:
        from obspy.core.event import Catalog, ResourceIdentifier
    except ImportError as error:
        raise VIPError("QuakeML needs obspy: pip install 'vip-inversion[seismology]'") from error
    for origin in origins:
        if not origin.geographic:
            raise VIPError(f"event {origin.event}: QuakeML needs degrees; write a CSV catalogue, or give a projection")
    index = {event: i for i, event in enumerate(picks.events)}
    times = picks.absolute_time()
    events = []
    for origin in origins:
        rows = range(*picks.start[index[origin.event] : index[origin.event] + 2])
        events.append(_quakeml_event(origin, rows, picks, times, stations, level))
    return Catalog(events=events, resource_id=ResourceIdentifier("smi:local/catalogue"))


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
        code = code_of(stations.names[picks.station[row]])
        pick = Pick(
            resource_id=ResourceIdentifier(_identifier(picks.source[row], f"{name}/pick/")),
            time=UTCDateTime(str(times[row])),
            time_errors={"uncertainty": float(picks.sigma[row])},
            waveform_id=WaveformStreamID(code.network, code.station, code.location or None, code.channel or None),
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
        if arrivals.probability is not None:
            arrival.comments.append(_comment(f"association probability: {arrivals.probability[i]:.4f}", arrival))
        written.append(pick)
        located.arrivals.append(arrival)
    event = Event(resource_id=ResourceIdentifier(name), picks=written, origins=[located])
    event.preferred_origin_id = located.resource_id
    if origin.log_odds is not None:
        event.comments.append(_comment(f"log-odds of an event: {origin.log_odds:.2f}", event))
    return event


def _comment(text: str, on: Any) -> Any:
    """A comment whose identifier is not random, so that the same catalogue is the same file."""
    from obspy.core.event import Comment, ResourceIdentifier

    return Comment(text=text, resource_id=ResourceIdentifier(f"{on.resource_id.id}/comment"))


def _quakeml_origin(origin: Origin, name: str, stations: Sequence[str], level: float) -> Any:
    """The origin with lengths in m, as QuakeML has them, and standard deviations with a confidence level of 68.3 %."""
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
