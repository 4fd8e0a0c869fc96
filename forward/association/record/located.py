"""Origins of associated events: their geometry, and the uncertainty of the joint fit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.record.inputs import Inputs
from vip.forward.association.window.associate import Association
from vip.forward.association.window.channels import Ints
from vip.forward.association.window.fit import Rules
from vip.forward.earthquakes.origins import Arrivals as ArrivalsOfOrigin
from vip.forward.earthquakes.origins import Mode, Origin, azimuthal_gap
from vip.forward.earthquakes.picks import Picks
from vip.protocols import Floats

MICROSECOND = np.timedelta64(1, "us")


class Expected(NamedTuple):
    """When waves of events arrive, whether they were picked or not."""

    station: Ints
    """Index of the station of each channel (n_channels,)."""
    phase: NDArray[np.str_]
    """Phase of each channel (n_channels,), "P" or "S"."""
    time: Floats
    """Times (n_events, n_channels), s after the origin time."""


class Located(NamedTuple):
    """Events in the order of their times, with their picks."""

    order: Ints
    """Index in the association of each event."""
    origins: list[Origin]
    picks: Picks
    """Picks of these events; the source of each is the identifier in the input."""
    expected: Expected


def locate(inputs: Inputs, found: Association, rules: Rules) -> Located:
    """Origins with the covariance of a least-squares fit to the picks of each event, and a weak prior of the region."""
    order = np.argsort(found.events.time, kind="stable")
    names = _names(_utc(inputs, found.events.time[order]))
    picks, own = _picks(inputs, found, order, names)
    channels = inputs.site.channels
    none = np.zeros((0, len(channels))), np.zeros((0, len(channels), 3))
    time, gradient = channels.travel_times(found.events.x) if len(order) else none
    origins = []
    for i, event in enumerate(order):
        mine = own[picks.start[i] : picks.start[i + 1]]
        channel = inputs.arrivals.channel[mine]
        origins.append(_origin(inputs, found, rules, event, names[i], mine, time[event, channel], gradient[event, channel]))
    return Located(order, origins, picks, Expected(channels.station, channels.phase, time[order]))


def _origin(
    inputs: Inputs, found: Association, rules: Rules, event: int, name: str, own: Ints, time: Floats, gradient: Floats
) -> Origin:
    arrivals, network, place = inputs.arrivals, inputs.site.network, found.events.x[event]
    residual = arrivals.time[own] - found.events.time[event] - time
    weight = 1 / arrivals.sigma[own] ** 2
    covariance = _covariance(gradient, weight, rules)
    turned = network.to_true_north(place)
    latitude, longitude = network.on_earth(place)
    on_map = turned @ covariance[:3, :3] @ turned.T
    distance, azimuth = network.seen_from(place, inputs.site.channels.station[arrivals.channel[own]])
    weight = weight / weight.mean()
    return Origin(
        event=name,
        time=_utc(inputs, found.events.time[event : event + 1])[0],
        time_uncertainty=float(np.sqrt(covariance[3, 3])),
        latitude=latitude,
        longitude=longitude,
        depth=float(place[2]),
        geographic=network.projection is not None,
        mean=place,
        covariance=on_map,
        modes=(Mode(1.0, place, on_map),),
        gap=azimuthal_gap(azimuth),
        nearest=float(distance.min()),
        rms=float(np.sqrt(np.average(residual**2, weights=weight))),
        arrivals=ArrivalsOfOrigin(time, residual, weight, distance, azimuth, found.probability[own]),
        samples=np.zeros((0, 3)),
        sample_times=np.zeros(0),
        log_odds=float(found.evidence[event]),
    )


def _covariance(gradient: Floats, weight: Floats, rules: Rules) -> Floats:
    """Covariance (4, 4) of x, y, depth, km, and origin time, s; the prior's standard deviation is half of the region."""
    jacobian = np.column_stack([gradient, np.ones(len(gradient))])
    covariance: Floats = np.linalg.inv(jacobian.T * weight @ jacobian + rules.prior).astype(np.float64)
    return covariance


def _picks(inputs: Inputs, found: Association, order: Ints, names: list[str]) -> tuple[Picks, Ints]:
    """Picks of all events, one event after the other, by time; and the index of each among the arrivals."""
    arrivals, channels = inputs.arrivals, inputs.site.channels
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    own = np.flatnonzero(found.event >= 0)
    position = rank[found.event[own]]
    by_event = np.lexsort((arrivals.channel[own], arrivals.time[own], position))
    own, position = own[by_event], position[by_event]
    start = np.searchsorted(position, np.arange(len(order) + 1))
    first = _utc(inputs, arrivals.time[own[start[:-1]]])
    reference = first.astype("datetime64[s]").astype("datetime64[us]")
    from_reference = (inputs.reference - reference).astype("timedelta64[us]").astype(float) / 1e6
    channel = arrivals.channel[own]
    picks = Picks(
        events=names,
        start=start,
        reference=reference,
        station=channels.station[channel],
        phase=channels.phase[channel],
        time=arrivals.time[own] + from_reference[position],
        sigma=arrivals.sigma[own],
        weight=np.ones(len(own)),
        source=inputs.rows["identifier"].to_numpy(object)[inputs.row[own]].tolist(),
    )
    return picks, own


def _utc(inputs: Inputs, seconds: Floats) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Times in UTC, in microseconds, from seconds after the reference."""
    times: np.ndarray[tuple[int], np.dtype[np.datetime64]] = inputs.reference + np.rint(seconds * 1e6) * MICROSECOND
    return times


def _names(times: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> list[str]:
    """Names of events by their origin times to the hundredth of a second: they do not change when others are found.

    Examples
    --------
    >>> _names(np.array(["2020-10-01T00:02:21.070000", "2020-10-01T00:02:21.071000"], "datetime64[us]"))
    ['20201001T000221.07', '20201001T000221.07-2']
    """
    count: dict[str, int] = {}
    names = []
    for time in times:
        name = str(time)[:22].replace("-", "").replace(":", "")
        count[name] = count.get(name, 0) + 1
        names.append(name if count[name] == 1 else f"{name}-{count[name]}")
    return names
