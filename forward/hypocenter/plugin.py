"""Earthquake location as a forward plugin: the hypocentres of all events are one model."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vip.forward.earthquakes.formats import csv, quakeml
from vip.forward.earthquakes.formats.nonlinloc import phases
from vip.forward.earthquakes.origins import Origin
from vip.forward.earthquakes.reading import velocity_files
from vip.forward.hypocenter.catalogue import Catalogue, read_catalogue
from vip.forward.hypocenter.likelihood import EDT, Accuracy, Gaussian, Likelihood, Readings
from vip.forward.hypocenter.settings import HypocenterSettings
from vip.forward.hypocenter.summary import origins
from vip.forward.hypocenter.synthetic import starter_config, write_example
from vip.protocols import Floats, ModelSpace, Variable

Ints = NDArray[np.intp]

SLOWEST = 1.0
"""Least velocity, km/s: a wave of it crosses the region in the longest time from an event's origin to its first pick."""
log = logging.getLogger(__name__)

PICKS_AT_ONCE = 640
"""Number of picks evaluated together, such that their arrays fit into the cache and calls are few."""


class Hypocenters:
    """Log-likelihood of the hypocentres of some events, each independent of all others.

    Models are x of all events, then y, then depth (km); with Gaussian errors also origin times (s after the reference time of
    the picks). Since each event has a kernel of its own, one run of SVGD is as many runs as there are events.

    Parameters
    ----------
    catalogue : Catalogue
    likelihood : Likelihood
    """

    settings_class = HypocenterSettings
    threads = 1
    formats: Mapping[str, str] = MappingProxyType({"quakeml": ".xml", "csv": ".csv", "nonlinloc": ""})

    def __init__(self, catalogue: Catalogue, likelihood: Likelihood) -> None:
        self.catalogue, self.likelihood = catalogue, likelihood
        self.picks, self.ways = catalogue.picks, catalogue.ways
        self.inputs: list[Path] = []
        self.papers: tuple[str, ...] = ("smith_2022",)
        picks, (lower, upper) = catalogue.picks, catalogue.box
        n = len(picks.events)
        self.power = likelihood.power(Readings(picks.time, picks.sigma**2, picks.weight, picks.start))
        names = np.array(picks.events)
        axes = [Variable(name, "km", ("event",), {"event": names}) for name in ("x", "y", "depth")]
        self.bounds = {v.name: (np.full(n, low), np.full(n, high)) for v, low, high in zip(axes, lower, upper, strict=True)}
        if likelihood.has_origin_time:
            axes.append(Variable("origin_time", "s", ("event",), {"event": names}, "origin time after the reference time"))
            self.bounds["origin_time"] = self._origin_bounds()
        self.space = ModelSpace(tuple(axes))
        self.ndim = self.space.size
        self.groups = np.tile(np.arange(n), len(axes))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Self:
        """Build from the ``[forward]`` table; paths are relative to `base_dir`."""
        from dask.system import CPU_COUNT

        s = HypocenterSettings.model_validate(settings)
        accuracy = Accuracy(s.accuracy.fraction, s.accuracy.least, s.accuracy.most)
        likelihood = EDT(accuracy, s.exponent) if s.likelihood == "edt" else Gaussian(accuracy)
        catalogue = read_catalogue(s, base_dir, CPU_COUNT)
        for fault in catalogue.faults:
            log.warning("left out: %s", fault)
        plugin = cls(catalogue, likelihood)
        plugin.papers = s.papers
        plugin.inputs = [base_dir / s.stations, base_dir / s.picks, *velocity_files(base_dir / s.velocity)]
        return plugin

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) of all events together, and its gradient (n, d)."""
        value, gradient = self._evaluate_all(self.by_event(models), np.arange(len(self.picks.events)))
        return value.sum(axis=1), np.moveaxis(gradient, 2, 1).reshape(models.shape)

    def log_likelihood(self, places: Floats, problems: Ints) -> Floats:
        """Log-likelihoods (n, m) of places (n, m, k) of the events (m,), from which a run starts."""
        return self._evaluate_all(places, problems)[0]

    def _evaluate_all(self, places: Floats, events: Ints) -> tuple[Floats, Floats]:
        """Log-likelihoods (n, m) and gradients (n, m, k) of places (n, m, k) of the events (m,), a batch on each thread."""
        value, gradient = np.empty(places.shape[:2]), np.empty(places.shape)

        def evaluate(batch: tuple[slice, Ints]) -> None:
            where, chosen = batch
            value[:, where], gradient[:, where] = self._evaluate(places[:, where], chosen)

        batches = list(self._batches(events))
        threads = min(self.threads, len(batches))
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(evaluate, batches))  # raises what a batch has raised
        else:
            for batch in batches:
                evaluate(batch)
        return value, gradient

    def origins(self, models: Floats) -> list[Origin]:
        """The origin of each event, from samples of the posterior (n, d)."""
        return origins(self.by_event(models), self.picks, self.catalogue.network, self.travel_times)

    def export(self, models: Floats, name: str, path: Path) -> None:
        """Write the catalogue that samples (n, d) make: as QuakeML, as CSV, or as a folder of NonLinLoc's files."""
        found = self.origins(models)
        match name:
            case "quakeml":
                quakeml.write_origins(found, self.picks, self.catalogue.network.stations, path)
            case "csv":
                csv.write_origins(found, path)
            case "nonlinloc":
                phases.write_origins(found, self.picks, self.catalogue.network, self.ways.correction, path)

    def pictures(self, models: Floats) -> Iterator[tuple[str, str, str, Any]]:
        """Figures of the catalogue and of its first events."""
        from vip.forward.hypocenter.pictures import pictures

        start = self.picks.start
        of_events = [self.picks.phase[a:b] for a, b in itertools.pairwise(start)]
        yield from pictures(self.origins(models), of_events, self.catalogue.network)

    def travel_times(self, places: Floats, events: Ints) -> tuple[Floats, Floats]:
        """Travel times (n, n_picks), s, with corrections, of places (n, m, 3) of events (m,); and gradients (3, n, n_picks)."""
        return self._times(places, *self._picks_of(events))

    def _times(self, places: Floats, picks: Ints, event: Ints) -> tuple[Floats, Floats]:
        time, gradient = self.ways.tables.evaluate(places, event, self.ways.table[picks])
        return time + self.ways.correction[picks], gradient

    starter_config = staticmethod(starter_config)
    write_example = staticmethod(write_example)

    def _evaluate(self, places: Floats, events: Ints) -> tuple[Floats, Floats]:
        """Log-likelihoods (n, m) and gradients (n, m, k)."""
        picks, event = self._picks_of(events)
        sizes = np.diff(self.picks.start)[events]
        start = np.concatenate([[0], np.cumsum(sizes)])
        p = self.picks
        readings = Readings(p.time[picks], p.sigma[picks] ** 2, p.weight[picks], start)
        time, by_place = self._times(places[..., :3], picks, event)
        value, by_time, by_origin = self.likelihood(readings, time, places[..., -1])
        gradient = [readings.summed(by_time * axis) for axis in by_place]
        if self.likelihood.has_origin_time:
            gradient.append(by_origin)
        power = self.power[events]
        return power * value, power[:, None] * np.stack(gradient, axis=2)

    def _picks_of(self, events: Ints) -> tuple[Ints, Ints]:
        """Picks of some events, and the event to which each belongs."""
        start = self.picks.start
        picks = np.concatenate([np.arange(start[e], start[e + 1]) for e in events])
        return picks, np.repeat(np.arange(len(events)), np.diff(start)[events])

    def _batches(self, events: Ints) -> Iterator[tuple[slice, Ints]]:
        """Groups of events that are evaluated together: their positions in `events`, and their indices."""
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
        """Bounds of origin times: the first pick less the longest travel time, and the first pick plus some of its errors."""
        start = self.picks.start[:-1]
        lower, upper = self.catalogue.box
        longest = float(np.linalg.norm(upper - lower)) / SLOWEST
        first = np.minimum.reduceat(self.picks.time, start)
        error = np.maximum.reduceat(self.picks.sigma, start)
        return first - longest, first + 10 * error
