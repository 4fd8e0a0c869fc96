"""Origins from samples of hypocentres: all modes, the most probable place, the origin time, residuals and geometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.stats import gaussian_kde
from threadpoolctl import threadpool_limits

from vip.forward.earthquakes.network import Network
from vip.forward.earthquakes.origins import Arrivals, Mode, Origin, azimuthal_gap
from vip.forward.earthquakes.picks import Picks
from vip.protocols import Floats

Ints = NDArray[np.intp]
TravelTimes = Callable[[Floats, Ints], tuple[Floats, Floats]]

FEWEST = 3
"""Least number of samples that make a cluster."""
NEAR = 2.0
"""Distance within which samples form a cluster, over the median distance to that many neighbours: outskirts still belong."""
GAUSSIAN = 1.4826
"""Standard deviation of a Gaussian over its median absolute deviation."""


def origins(places: Floats, picks: Picks, network: Network, travel_times: TravelTimes) -> list[Origin]:
    """The origin of each event.

    Parameters
    ----------
    places : (n, n_events, 3 or 4) float
        Samples of the posterior: x, y and depth, km, and the origin time, s after the reference time, where it is unknown too.
    picks : Picks
    network : Network
    travel_times : callable
        Returns, for places (n, m, 3) of the events (m,), travel times (n, n_picks), s, with corrections; and their gradients.
    """
    with threadpool_limits(1, user_api="blas"):  # products of 150 samples only wait for other threads
        return [_origin(places[:, event], event, picks, network, travel_times) for event in range(len(picks.events))]


def modes(samples: Floats) -> list[Ints]:
    """Indices of the samples (n, 3) that belong to each mode, the largest first; stragglers belong to the nearest.

    Modes are clusters of high density (DBSCAN, Ester et al. 1996), after each axis is scaled by its spread. Closeness is
    measured between neighbours, so that modes far apart do not make samples of one mode seem close.
    """
    from sklearn.cluster import DBSCAN

    centred = samples - np.median(samples, axis=0)
    scaled = centred / np.maximum(GAUSSIAN * np.median(np.abs(centred), axis=0), np.finfo(float).tiny)
    near = NEAR * float(np.median(KDTree(scaled).query(scaled, k=FEWEST + 1)[0][:, -1]))
    label = DBSCAN(eps=max(near, np.finfo(float).tiny), min_samples=FEWEST).fit(scaled).labels_
    if (label < 0).all():
        return [np.arange(len(samples))]
    clustered, stray = np.flatnonzero(label >= 0), np.flatnonzero(label < 0)
    apart = np.linalg.norm(scaled[stray, None] - scaled[None, clustered], axis=2)
    label[stray] = label[clustered[apart.argmin(axis=1)]]
    found = [np.flatnonzero(label == k) for k in np.unique(label)]
    return sorted(found, key=len, reverse=True)


def most_probable(samples: Floats) -> Floats:
    """The sample (3,) where a kernel density estimate of samples (n, 3) is largest; without a volume, nearest to their mean."""
    try:
        density = gaussian_kde(samples.T)(samples.T)
    except (np.linalg.LinAlgError, ValueError):  # fewer than four, or all in a plane
        density = -np.linalg.norm(samples - samples.mean(axis=0), axis=1)
    best: Floats = samples[np.argmax(density)]
    return best


def _origin(places: Floats, event: int, picks: Picks, network: Network, travel_times: TravelTimes) -> Origin:
    """The origin of one event, from its samples (n, k)."""
    own = slice(*picks.start[event : event + 2])
    samples = places[:, :3]
    members = modes(samples)
    places_of_modes = [most_probable(samples[chosen]) for chosen in members]
    place = places_of_modes[0]
    turned = network.to_true_north(place)
    predicted = travel_times(place[None, None], np.array([event]))[0][0]
    at_place = picks.time[own] - predicted
    if places.shape[1] > 3:
        sample_times = places[:, 3]
        estimates = sample_times[members[0]]
    else:  # each pick says one
        sample_times = np.median(picks.time[own] - travel_times(samples[:, None], np.array([event]))[0], axis=1)
        estimates = at_place
    origin_time = float(np.median(estimates))
    latitude, longitude = network.on_earth(place)
    residual = at_place - origin_time
    arrivals = Arrivals(predicted, residual, picks.weight[own], *network.seen_from(place, picks.station[own]))
    return Origin(
        event=picks.events[event],
        time=picks.reference[event] + np.timedelta64(round(origin_time * 1e6), "us"),
        time_uncertainty=GAUSSIAN * float(np.median(np.abs(estimates - origin_time))),
        latitude=latitude,
        longitude=longitude,
        depth=float(place[2]),
        geographic=network.projection is not None,
        mean=samples.mean(axis=0),
        covariance=turned @ np.cov(samples.T) @ turned.T,
        modes=tuple(_mode(samples, *mode, turned) for mode in zip(members, places_of_modes, strict=True)),
        gap=azimuthal_gap(arrivals.azimuth),
        nearest=float(arrivals.distance.min()),
        rms=float(np.sqrt(np.average(residual**2, weights=picks.weight[own]))),
        arrivals=arrivals,
        samples=samples,
        sample_times=sample_times - origin_time,
    )


def _mode(samples: Floats, chosen: Ints, place: Floats, turned: Floats) -> Mode:
    covariance = turned @ np.cov(samples[chosen].T) @ turned.T
    return Mode(len(chosen) / len(samples), place, covariance)
