"""Synthetic windows in which the arrivals of many events cross: the regime of Shi et al. (2024), section 3.

Events are anywhere in a cube, stations at random places on its top, and all events begin within a few seconds, whereas their
waves take up to tens of seconds: at every station they arrive in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vip.forward.association.speed.code import Fixed
from vip.forward.association.speed.times import TimesOfCode
from vip.forward.association.trials.measures import accuracy, confusion_factor
from vip.forward.association.window.associate import associate
from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.association.window.fit import Events, Rules
from vip.forward.association.window.joint import Joint
from vip.forward.association.window.search import grid
from vip.forward.earthquakes.traveltimes.tables import Box, Solver
from vip.forward.earthquakes.velocity import Grid3D
from vip.kernels_c.timetables import TimeTables
from vip.protocols import Floats

SIDE = 100.0
"""Side of the cube, km."""
NODE = 1.0
"""Spacing of the nodes of travel times, km."""
VOLUME_NODE = 2.0
"""Spacing of the nodes of travel times in three dimensions, km."""
FINEST = 0.01
"""Least standard deviation, s, that picks are said to have."""
LEAST_NOISE = 0.02
"""Least share of missing and of false picks that is assumed."""

Delays = Callable[[Floats, Floats], Floats]
"""Travel times (n, m), s, between places (n, 3) and stations (m, 3), km."""


def uniform(speed: float = 7.0) -> Delays:
    """Travel times in a homogeneous medium of a speed, km/s."""
    return lambda x, stations: np.linalg.norm(x[:, None] - stations, axis=2) / speed


def gradient(top: float = 5.0, bottom: float = 25.0) -> Delays:
    """Travel times where the speed, km/s, rises linearly from the top to the bottom of the cube: rays are arcs of circles."""
    slope = (bottom - top) / SIDE

    def delays(x: Floats, stations: Floats) -> Floats:
        square = ((x[:, None] - stations) ** 2).sum(axis=2)
        speeds = (top + slope * x[:, 2:]) * (top + slope * stations[:, 2])
        time: Floats = np.arccosh(1 + slope**2 * square / (2 * speeds)) / slope
        return time

    return delays


class Crossing(NamedTuple):
    """Picks of a window, and the truth."""

    picks: Arrivals
    channels: Channels
    rules: Rules
    event: Ints
    """True event of each pick (n,), or -1."""
    events: Events
    """True events."""
    confusion: float
    """Confusion factor of the window, before picks are lost."""


def channels_of(stations: Floats, delays: Delays) -> Channels:
    """Channels of P waves at stations (n, 3), km, on top of the cube.

    Parameters
    ----------
    stations : (n, 3) float
    delays : Delays
        Travel times in a medium that varies with depth alone.
    """
    n, distance, depth = len(stations), np.arange(0, SIDE * np.sqrt(2) + 2 * NODE, NODE), np.arange(0, SIDE + 2 * NODE, NODE)
    x = np.stack(np.meshgrid(distance, depth, indexing="ij"), axis=-1)
    section = np.stack([x[..., 0], np.zeros(x.shape[:2]), x[..., 1]], axis=-1).reshape(-1, 3)
    length = np.maximum(np.linalg.norm(section, axis=1), 1e-3 * NODE)  # the limit at the station
    section[0, 2] = length[0]
    slowness = delays(section, np.zeros((1, 3)))[:, 0] / length
    tables = TimeTables(np.tile(slowness.reshape(x.shape[:2]), (n, 1, 1)), stations, [0, 0], [NODE, NODE])
    return Channels(np.arange(n), np.full(n, "P"), stations, tables, np.zeros(n))


def channels_in(model: Grid3D, stations: Floats, spacing: float = VOLUME_NODE) -> Channels:
    """Channels of P waves at stations (n, 3), km, on top of the cube, with times on nodes `spacing` km apart."""
    n = len(stations)
    bare = Channels(np.arange(n), np.full(n, "P"), stations, None, np.zeros(n))
    return TimesOfCode(Fixed(model), solver_of(spacing)).at(bare, np.zeros(0))


def solver_of(spacing: float) -> Solver:
    """Solver of travel times in the cube on nodes `spacing` km apart."""
    return Solver(Box(np.zeros(3), np.full(3, SIDE)), spacing, None)


def crossing(
    rng: np.random.Generator,
    medium: Delays | Grid3D,
    events: int = 8,
    stations: int = 20,
    length: float = 4.0,
    sigma: float = 0.0,
    missing: float = 0.0,
    false: float = 0.0,
) -> Crossing:
    """Make a window.

    Parameters
    ----------
    rng : Generator
    medium : Delays or Grid3D
        Travel times in a medium that varies with depth alone, or speeds in the cube.
    events, stations : int
        Numbers of events and of stations.
    length : float
        Time, s, within which all events begin.
    sigma : float
        Standard deviation of picks, s.
    missing : float
        Share of the arrivals at each station that are not picked.
    false : float
        Number of false picks over that of arrivals.
    """
    place = np.column_stack([rng.uniform(0, SIDE, (stations, 2)), np.zeros(stations)])
    x, origin = rng.uniform(0, SIDE, (events, 3)), rng.uniform(0, length, events)
    if isinstance(medium, Grid3D):
        channels = channels_in(medium, place)
        arrival = origin[:, None] + channels.travel_times(x)[0]
    else:
        channels, arrival = channels_of(place, medium), origin[:, None] + medium(x, place)
    event, channel = np.nonzero(rng.random(arrival.shape) >= missing)
    time = arrival[event, channel] + sigma * rng.standard_normal(len(event))
    n_false = round(false * arrival.size)
    time = np.append(time, rng.uniform(arrival.min(), arrival.max(), n_false))
    channel, event = np.append(channel, rng.integers(0, stations, n_false)), np.append(event, np.full(n_false, -1))
    order = np.lexsort((time, channel))
    picks = Arrivals(channel[order], time[order], np.full(len(time), max(sigma, FINEST)), np.zeros(len(time)))
    rules = Rules(np.zeros(3), np.full(3, SIDE), 1 - max(missing, LEAST_NOISE), events / (length * SIDE**3), 5)
    truth = Events(x, origin, np.full(events, stations))
    return Crossing(picks, channels, rules, event[order], truth, confusion_factor(origin, arrival))


def found(window: Crossing, spacing: float = 5.0) -> Ints:
    """Event of each pick (n,) of a window, or -1, with nodes at most `spacing` km apart at first."""
    rate = len(window.event) / (len(window.channels) * float(np.ptp(window.picks.time)))
    nodes = grid(window.channels, window.rules, spacing, rate)
    return associate(window.picks, window.channels, nodes, window.rules).event


def ceiling(window: Crossing) -> float:
    """Accuracy of the best assignment of picks to the true events: no method that does not know them should be above it."""
    n_false = max((window.event < 0).mean(), LEAST_NOISE)
    span, n = np.ptp(window.picks.time), len(window.picks.time)
    log_rate = np.full(n, np.log(n_false * n / (span * len(window.channels))))
    joint = Joint(window.picks, log_rate, window.channels, window.rules)
    arrived = joint.arrived(window.events)
    match, owner = joint.matching(arrived).best(), np.full(n, -1)
    owner[match[match >= 0]] = arrived.event[match >= 0]
    return accuracy(owner, window.event)
