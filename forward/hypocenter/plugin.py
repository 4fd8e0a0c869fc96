"""Earthquake location as a forward plugin: the hypocentres of all events are one model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forward.hypocenter.likelihood import Likelihood, Readings
from forward.hypocenter.picks import Picks
from forward.hypocenter.start import tempered
from kernels_c.timetables import TimeTables
from vip.protocols import ModelSpace, Variable

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

PICKS_AT_ONCE = 640
"""Picks evaluated together: their arrays fit the cache, and calls are few."""


class Ways(NamedTuple):
    """What arrivals need on their way to the stations."""

    tables: TimeTables
    table: Ints
    """(n_picks,) the table of each pick's station and phase."""
    correction: Floats
    """(n_picks,) s, added to the predicted times."""


class Hypocenters:
    """Log-likelihood of the hypocentres of some events, each independent of all others.

    Models are x of all events, then y, then depth (km); with Gaussian errors also origin times (s after the reference time of
    the picks). That each event has a kernel of its own makes one run of SVGD as many as there are events.

    Parameters
    ----------
    picks : Picks
    ways : Ways
    likelihood : Likelihood
    lower, upper : (3,) float
        X, y and depth of the region, km, inside the tables.
    """

    threads = 1

    def __init__(self, picks: Picks, ways: Ways, likelihood: Likelihood, lower: Floats, upper: Floats) -> None:
        self.picks, self.ways, self.likelihood = picks, ways, likelihood
        n = len(picks.events)
        names = np.array(picks.events)
        axes = [Variable(name, "km", ("event",), {"event": names}) for name in ("x", "y", "depth")]
        self.bounds = {v.name: (np.full(n, low), np.full(n, high)) for v, low, high in zip(axes, lower, upper, strict=True)}
        if likelihood.has_origin_time:
            axes.append(Variable("origin_time", "s", ("event",), {"event": names}, "origin time after the reference time"))
            self.bounds["origin_time"] = self._origin_bounds()
        self.space = ModelSpace(tuple(axes))
        self.ndim = self.space.size
        self.groups = np.tile(np.arange(n), len(axes))

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) of all events together, and its gradient (n, d)."""
        places = self.by_event(models)
        gradient = np.empty_like(places)
        value = np.zeros(len(models))
        for events, picks in self._batches(np.arange(len(self.picks.events))):
            found, gradient[:, events] = self._evaluate(places[:, events], picks)
            value += found.sum(axis=1)
        return value, np.moveaxis(gradient, 2, 1).reshape(models.shape)

    def log_likelihood(self, places: Floats, events: Ints) -> Floats:
        """Of places (n, m, k) of the events (m,), one by one: (n, m)."""
        value = np.empty(places.shape[:2])
        for chosen, picks in self._batches(events):
            value[:, chosen] = self._evaluate(places[:, chosen], picks)[0]
        return value

    def start(self, n: int, rng: np.random.Generator) -> Floats:
        """Models (n, d) spread as the posterior is, see `forward.hypocenter.start`."""
        lower, upper = (np.stack([bounds[end] for bounds in self.bounds.values()], axis=1) for end in (0, 1))
        places = tempered(self.log_likelihood, lower, upper, n, rng)
        return np.moveaxis(places, 2, 1).reshape(n, self.ndim)

    def travel_times(self, places: Floats, events: Ints) -> tuple[Floats, Floats]:
        """Travel times (n, n_picks), s, with corrections, of places (n, m, 3) of events (m,); and gradients (3, n, n_picks)."""
        picks, event = self._picks_of(events)
        time, gradient = self.ways.tables.evaluate(places, event, self.ways.table[picks], self.threads)
        return time + self.ways.correction[picks], gradient

    def _evaluate(self, places: Floats, events: Ints) -> tuple[Floats, Floats]:
        """Log-likelihoods (n, m) and gradients (n, m, k)."""
        picks, _ = self._picks_of(events)
        sizes = np.diff(self.picks.start)[events]
        start = np.concatenate([[0], np.cumsum(sizes)])
        p = self.picks
        readings = Readings(p.time[picks], p.sigma[picks] ** 2, p.weight[picks], start)
        time, by_place = self.travel_times(places[..., :3], events)
        value, by_time, by_origin = self.likelihood(readings, time, places[..., -1])
        gradient = [readings.summed(by_time * axis) for axis in by_place]
        if self.likelihood.has_origin_time:
            gradient.append(by_origin)
        return value, np.stack(gradient, axis=2)

    def _picks_of(self, events: Ints) -> tuple[Ints, Ints]:
        """Picks of some events, and to which of these each belongs."""
        start = self.picks.start
        picks = np.concatenate([np.arange(start[e], start[e + 1]) for e in events])
        return picks, np.repeat(np.arange(len(events)), np.diff(start)[events])

    def _batches(self, events: Ints) -> Iterator[tuple[slice, Ints]]:
        """Events that are evaluated together: where they are in `events`, and which they are."""
        ends = np.cumsum(np.diff(self.picks.start)[events])
        first = 0
        while first < len(events):
            before = ends[first - 1] if first else 0
            last = max(int(np.searchsorted(ends, before + PICKS_AT_ONCE, side="right")), first + 1)
            yield slice(first, last), events[first:last]
            first = last

    def by_event(self, models: Floats) -> Floats:
        """Places (n, n_events, k) of models (n, d)."""
        return np.moveaxis(models.reshape(len(models), -1, len(self.picks.events)), 1, 2)

    def _origin_bounds(self) -> tuple[Floats, Floats]:
        """Between the first pick less the longest travel time, and the first pick and some of its errors."""
        start = self.picks.start[:-1]
        first = np.minimum.reduceat(self.picks.time, start)
        error = np.maximum.reduceat(self.picks.sigma, start)
        return first - self.longest, first + 10 * error
