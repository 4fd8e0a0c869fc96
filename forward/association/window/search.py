"""Where and when events may be: back-projection of free picks onto a coarse grid."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.association.window.fit import LOG_2PI, Events, Rules
from vip.kernels_c.backprojection import back_project
from vip.protocols import Floats

CROWD = 0.06
"""Picks that a channel has within the standard deviation of an arrival's time between nodes, where it is too many."""
BATCH = 4096
"""Nodes whose travel times are computed at once."""


class Grid(NamedTuple):
    """Coarse nodes with the delays of their waves."""

    x: Floats
    """X, y and depth (n_nodes, 3), km."""
    order: Ints
    """Channels (n_nodes, n_channels) of each node, the nearest first."""
    delay: Floats
    """Travel times (n_nodes, n_channels) to these channels, s."""
    blur: Floats
    """Standard deviation (n_channels,), s, of the times of events between nodes."""
    finer: Callable[[], Grid] | None = None
    """Makes the grid on which events of picks that are left are sought, if picks are so close that this one may miss some."""

    coarser: Grid | None = None
    """Grid on which most events are found at less cost, if picks are so sparse that it will do."""

    @property
    def step(self) -> float:
        """Step of time, s, that resolves the blur."""
        return float(self.blur.min()) / 1.5


def grid(channels: Channels, rules: Rules, spacing: float, rate: float = 0.0) -> Grid:
    """Nodes at most `spacing` (km) apart in the region; also finer ones where picks are close together, or else coarser ones.

    Parameters
    ----------
    channels : Channels
    rules : Rules
    spacing : float
        Greatest distance between neighbouring nodes, km.
    rate : float
        Picks of a channel, 1/s. Where there are more than `CROWD` of them within the blur of an arrival, a grid is too coarse.
        If it is 0, there is one grid alone.
    """
    nodes = _grid(channels, rules, spacing)
    crowd = rate * nodes.blur.mean()
    if crowd > CROWD:
        return nodes._replace(finer=cache(lambda: _grid(channels, rules, spacing / 2)))
    if 0 < 2 * crowd <= CROWD:
        return nodes._replace(coarser=_grid(channels, rules, 2 * spacing))
    return nodes


def _grid(channels: Channels, rules: Rules, spacing: float) -> Grid:
    axes = []
    for low, high in zip(rules.lower, rules.upper, strict=True):
        n = max(1, int(np.ceil((high - low) / spacing)))
        axes.append(low + (np.arange(n) + 0.5) * (high - low) / n)
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    order = channels.nearest_first(x)
    delay, slowness = np.empty(order.shape), np.zeros(len(channels))
    for first in range(0, len(x), BATCH):
        part = slice(first, first + BATCH)
        time, gradient = channels.travel_times(x[part])
        # A correction may be below minus the time from a node beside the station.
        delay[part] = np.maximum(np.take_along_axis(time, order[part], axis=1), 0)
        slowness = np.maximum(slowness, np.linalg.norm(gradient, axis=2).mean(axis=0))
    cell = np.array([(high - low) / len(axis) for low, high, axis in zip(rules.lower, rules.upper, axes, strict=True)])
    uniform = np.sqrt(np.mean(cell**2) / 12)  # standard deviation within a cell, along a ray
    return Grid(x, order, delay, slowness * uniform)


def gains(
    picks: Arrivals, log_rate: Floats, channels: Channels, blur: Floats, rules: Rules, start: float, n: int, step: float
) -> Floats:
    """Gain (n_channels, n) of an arrival against chance at each step of time from `start` on."""
    likelihood = np.zeros((len(channels), n))
    sigma = np.hypot(picks.sigma, blur[picks.channel])
    height = picks.log_weight - np.log(sigma) - LOG_2PI / 2 - log_rate
    first = np.rint((picks.time - start) / step).astype(int)
    for k in range(-int(3 * sigma.max() / step) - 1, int(3 * sigma.max() / step) + 2) if len(first) else ():
        at = first + k
        z = (start + at * step - picks.time) / sigma
        inside = (at >= 0) & (at < n) & (np.abs(z) < 3)
        np.add.at(likelihood, (picks.channel[inside], at[inside]), np.exp(height[inside] - z[inside] ** 2 / 2))
    return np.log1p(rules.detection * (likelihood - 1))


def candidates(
    picks: Arrivals, log_rate: Floats, channels: Channels, nodes: Grid, rules: Rules, spans: Floats, threads: int = 1
) -> Events:
    """Places and times where free picks agree best, no two within a few steps of time.

    Parameters
    ----------
    picks : Arrivals
    log_rate : (n,) float
        Logarithm of the rate of chance picks, 1/s.
    channels : Channels
    nodes : Grid
    rules : Rules
    spans : (n_spans, 2) float
        Origin times, from and to, s, in which events are sought.
    threads : int
        Does not change the result.
    """
    found = Events.none()
    for first, last in spans:
        seen = (picks.time >= first - 1) & (picks.time <= last + nodes.delay.max() + 1)
        if seen.any():
            found = found.and_(_in_span(picks.of(seen), log_rate[seen], channels, nodes, rules, first, last, threads))
    return found


def _in_span(
    picks: Arrivals, log_rate: Floats, channels: Channels, nodes: Grid, rules: Rules, first: float, last: float, threads: int
) -> Events:
    step = nodes.step
    n = int((last - first) / step) + int(nodes.delay.max() / step) + 5
    gain = gains(picks, log_rate, channels, nodes.blur, rules, first, n, step)
    best, node = back_project(gain, nodes.order, np.rint(nodes.delay / step).astype(np.int32), threads)
    peaks = _peaks(best, 3)
    time = np.asarray(first + peaks * step, dtype=np.float64)
    return Events(nodes.x[node[peaks]], time, np.full(len(peaks), len(channels)))


def united(spans: Floats) -> Floats:
    """Spans of time (n, 2) joined where they overlap, in order.

    Examples
    --------
    >>> united(np.array([[5.0, 7.0], [0.0, 2.0], [1.0, 3.0]]))
    array([[0., 3.],
           [5., 7.]])
    """
    first, last = spans[np.argsort(spans[:, 0], kind="stable")].T
    last = np.maximum.accumulate(last)
    new = np.append(True, first[1:] > last[:-1])
    return np.stack([first[new], last[np.append(np.flatnonzero(new)[1:] - 1, len(last) - 1)]], axis=1)


def _peaks(best: Floats, apart: int) -> Ints:
    """Indices of positive values that are the largest within `apart` to both sides."""
    padded = np.pad(best, apart, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * apart + 1)
    return np.flatnonzero((best > 0) & (windows.argmax(axis=1) == apart))
