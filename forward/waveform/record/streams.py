"""Seismograms from files that ObsPy reads, such as MiniSEED and SAC, with StationXML: Pa and m/s inside a band."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vip.errors import ConfigError
from vip.forward.earthquakes.projection import centred_on
from vip.forward.waveform.channels import pointing
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.record.record import SAME, Record

OUTPUT = {"M": "VEL", "M/S": "VEL", "M/S**2": "VEL", "M/(S**2)": "VEL", "PA": "DEF"}
"""What a response is removed to, by the unit of motion or pressure that it begins with."""
SKIRT = math.sqrt(2)
"""Ratio of frequencies over which the band's filter falls to zero on either side; beyond, responses are not removed."""


def read_streams(
    files: Sequence[Path],
    stations: Path,
    origin: tuple[float, float] | None,
    sea_level: float,
    reference: str | None,
    band: tuple[float, float] | None,
) -> Record:
    """Seismograms of files, their responses removed, at the places and in the directions of StationXML.

    Velocity channels point along azimuth and dip; nothing is rotated, since predictions are made along any direction.

    Parameters
    ----------
    files : sequence of path
    stations : path
        StationXML with responses.
    origin : (latitude, longitude)
        Degrees, where x and y are zero.
    sea_level : float
        Depth of sea level in the model, m.
    reference : str, optional
        Reference time, ISO 8601 in UTC; by default the first sample.
    band : (low, high)
        Frequencies, Hz, inside which responses are removed.

    Raises
    ------
    ConfigError
        If a file cannot be read; channels are not sampled alike; or one has no response, or a place that is not known.
    """
    try:
        from obspy import UTCDateTime, read_inventory
    except ImportError as error:
        raise ConfigError("data", files[0], "needs obspy: pip install 'vip-inversion[seismology]'") from error
    if origin is None:
        raise ConfigError("origin", None, "StationXML has degrees: give the latitude and longitude where x and y are zero")
    if band is None or band[0] <= 0:
        remedy = "responses are removed inside a band: give its lowest and highest frequency, Hz, both above zero"
        raise ConfigError("time.band", None if band is None else list(band), remedy)
    traces = _read(files)
    try:
        inventory = read_inventory(str(stations), format="STATIONXML")
    except Exception as error:  # a damaged file may raise anything
        raise ConfigError("", stations, f"is not StationXML: {error}") from error
    try:
        moment = UTCDateTime(reference) if reference else traces[0].stats.starttime
    except Exception as error:  # ObsPy raises many kinds
        raise ConfigError("time.reference", reference, "expected a time such as 2024-05-01T12:00:00") from error
    _check_alike(traces)
    channels, made, left_out = [], [], []
    for trace in traces:
        if np.ma.isMaskedArray(trace.data):
            left_out.append(f"{trace.id}: has a gap")
            continue
        channel, kind = _channel(trace, inventory, stations, origin, sea_level)
        channels.append(channel)
        made.append(_without_response(trace, inventory, OUTPUT[kind], band, stations))
    if not channels:
        raise ConfigError("data", "; ".join(left_out), "no channel can be used", files[0])
    start = float(traces[0].stats.starttime - moment)
    return Record(tuple(channels), np.array(made), float(traces[0].stats.delta), start, tuple(left_out))


def _read(files: Sequence[Path]) -> Any:
    from obspy import Stream, read

    stream = Stream()
    for file in files:
        try:
            stream += read(str(file))
        except Exception as error:  # a damaged file may raise anything
            raise ConfigError("data", file, f"cannot be read as seismograms: {error}") from error
    rates: dict[str, float] = {}
    for trace in stream:
        rates.setdefault(trace.id, trace.stats.delta)
        if trace.stats.delta != rates[trace.id]:
            raise ConfigError(
                trace.id, f"{trace.stats.delta:g} s", f"other parts of it are sampled every {rates[trace.id]:g} s"
            )
    return stream.merge().sort()


def _check_alike(traces: Any) -> None:
    """Check that all channels have the samples of the first."""
    first = traces[0].stats
    for trace in traces:
        stats = trace.stats
        remedy = f"{first.network}.{first.station}.{first.location}.{first.channel} has"
        if abs(stats.delta / first.delta - 1) > 1e-6:
            raise ConfigError(trace.id, f"sampled every {stats.delta:g} s", f"{remedy} {first.delta:g} s: resample one of them")
        if abs(stats.starttime - first.starttime) > SAME * first.delta:
            raise ConfigError(trace.id, f"begins at {stats.starttime}", f"{remedy} {first.starttime}: cut them alike")
        if stats.npts != first.npts:
            raise ConfigError(trace.id, f"has {stats.npts} samples", f"{remedy} {first.npts}: cut them alike")


def _channel(trace: Any, inventory: Any, file: Path, origin: tuple[float, float], sea_level: float) -> tuple[Channel, str]:
    """The channel of a trace, and the unit that its response begins with."""
    found = inventory.select(*trace.id.split("."), time=trace.stats.starttime)
    listed = [(station, channel) for network in found for station in network for channel in station]
    if not listed:
        raise ConfigError(trace.id, str(trace.stats.starttime), "there is no such channel at this time", file)
    _, channel = listed[0]
    sensitivity = channel.response.instrument_sensitivity if channel.response is not None else None
    if sensitivity is None or not channel.response.response_stages:
        raise ConfigError(trace.id, "no response", "responses are needed: request the file at the level of responses", file)
    unit = str(sensitivity.input_units).upper()
    if unit not in OUTPUT:
        raise ConfigError(trace.id, unit, "the response must begin with M, M/S, M/S**2 or PA", file)
    x, y = centred_on(np.array([origin[0]]), np.array([origin[1]])).to_local(
        np.array([float(channel.latitude)]), np.array([float(channel.longitude)])
    )
    place = (1000 * float(x[0]), 1000 * float(y[0]), sea_level - float(channel.elevation))
    name = ".".join(part for part in (trace.stats.location, trace.stats.channel) if part)
    station = f"{trace.stats.network}.{trace.stats.station}".strip(".")
    if unit == "PA":
        return Channel(station, name, "pressure", place, (0.0, 0.0, 0.0)), unit
    if channel.dip is None or (channel.azimuth is None and abs(channel.dip) != 90):
        raise ConfigError(trace.id, "no azimuth or dip", "the direction of a channel is needed", file)
    return Channel(station, name, "velocity", place, pointing(float(channel.azimuth or 0.0), float(channel.dip))), unit


def _without_response(trace: Any, inventory: Any, output: str, band: tuple[float, float], file: Path) -> Any:
    nyquist = 0.5 / trace.stats.delta
    if band[1] >= nyquist:
        raise ConfigError("time.band", list(band), f"must end below {nyquist:g} Hz, half the sampling rate of {trace.id}")
    high = min(band[1] * SKIRT, nyquist)
    skirts = (band[0] / SKIRT**2, band[0] / SKIRT, high, min(high * SKIRT, nyquist))
    copy = trace.copy()
    copy.data = copy.data.astype(float)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pressure, whose unit is taken as it is
            copy.remove_response(inventory, output=output, pre_filt=skirts, water_level=None, taper_fraction=0.02)
    except Exception as error:  # ObsPy and evalresp raise many kinds
        raise ConfigError(trace.id, "response", f"cannot be removed: {error}", file) from error
    return copy.data
