"""What the pictures of an association show, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from vip.errors import ConfigError
from vip.forward.association.pictures.truth import Truth
from vip.forward.association.record.catalogue import Catalogue
from vip.forward.association.trials.measures import names
from vip.forward.association.window.channels import Ints
from vip.forward.earthquakes.network import Network, network_of
from vip.forward.earthquakes.picks import PHASES
from vip.protocols import Floats

WIDTHS = pd.to_timedelta(["1min", "5min", "10min", "30min", "1h", "3h", "6h", "1D", "7D", "30D"])
"""Widths of the bins of a record."""
FEWEST_BINS = 12
"""Least number of bins of a record, if it is not shorter than so many minutes."""
MOST_BINS, FEWEST_PICKS = 12, 20
"""Largest number of bins of distance, and least number of picks in one of several."""
SPREAD, QUARTILES = np.array([0.16, 0.5, 0.84]), np.array([0.25, 0.5, 0.75])
"""Quantiles of residuals: the median, and the ends of the ranges in which 68 and 50 % are."""
EDGES = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0])
"""Edges of the bins of probabilities."""
LEVEL = 0.95
"""Confidence level of shares."""
TOGETHER = 8
"""Number of events in the picture of a window."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A catalogue on the map, beside the truth.

    Attributes
    ----------
    catalogue : Catalogue
    truth : Truth, optional
    """

    catalogue: Catalogue
    truth: Truth | None = None

    @cached_property
    def network(self) -> Network:
        """Stations with picks, on a map about their middle."""
        return network_of(self.catalogue._stations, None)

    @cached_property
    def place(self) -> Floats:
        """X, y and depth (n_events, 3) of the events, km."""
        return self._on_map(self.catalogue.events)

    @cached_property
    def true_place(self) -> Floats:
        """X, y and depth (n, 3) of the true events, km; none where they are not known."""
        return np.zeros((0, 3)) if self.truth is None else self._on_map(self.truth.events)

    def _on_map(self, events: pd.DataFrame) -> Floats:
        columns = ["y", "x"] if self.network.projection is None else ["latitude", "longitude"]
        if not set(columns) <= set(events):
            raise ConfigError(
                "truth", ", ".join(map(str, events)), f"expected the columns {' and '.join(columns)}, as stations have them"
            )
        first, second = events[columns].to_numpy(float).T
        x, y = (second, first) if self.network.projection is None else self.network.projection.to_local(first, second)
        return np.stack([x, y, events["depth"].to_numpy(float)], axis=1)

    @cached_property
    def covariance(self) -> Floats:
        """Covariance (n_events, 3, 3), km^2, axes east, north, down."""
        return np.array([origin.covariance for origin in self.catalogue._origins]).reshape(-1, 3, 3)

    @cached_property
    def time(self) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
        """Origin times (n_events,), UTC."""
        return _utc(self.catalogue.events["time"])

    @cached_property
    def distance(self) -> Floats:
        """Distance (n_events, n_stations) of each station from each epicentre, km."""
        every = np.arange(len(self.network.place))
        distances = [self.network.seen_from(place, every)[0] for place in self.place]
        return np.array(distances).reshape(-1, len(every))

    @cached_property
    def picks(self) -> pd.DataFrame:
        """All rows of the input that are picks, in the order of time.

        Columns are id, station (its index), phase ("P" or "S"), time (UTC), event (its index, or -1), probability, residual
        (s), distance (from its epicentre, km) and, where the truth is known, true (index of the true event, or -1).
        """
        rows = self.catalogue.assignments
        rows = rows[rows["probability"].notna()].sort_values("time", kind="stable")
        station, event = self.catalogue._stations.indices(rows["station"].unique()), self.catalogue.events["event"]
        number = dict(zip(event, range(len(event)), strict=True))
        picks = pd.DataFrame(
            {
                "id": rows["id"].to_numpy(),
                "station": rows["station"].map(station).to_numpy(int),
                "phase": rows["phase"].map(PHASES).to_numpy(),
                "time": _utc(rows["time"]),
                "event": rows["event"].map(number).fillna(-1).to_numpy(int),
                "probability": rows["probability"].to_numpy(float),
                "residual": rows["residual"].to_numpy(float),
            }
        )
        own = picks["event"].to_numpy() >= 0
        picks["distance"] = np.nan
        picks.loc[own, "distance"] = self.distance[picks["event"][own], picks["station"][own]]
        if self.truth is not None:
            picks["true"] = self.truth.event_of(picks["id"])
        return picks

    @property
    def own(self) -> pd.DataFrame:
        """Those of the picks that are of an event."""
        return self.picks[self.picks["event"] >= 0]

    @cached_property
    def matched(self) -> Ints:
        """Index of the true event of each event (n_events,), -1 where there is none, or none is known."""
        if self.truth is None:
            return np.full(len(self.catalogue.events), -1)
        return names(self.picks["event"].to_numpy(), self.picks["true"].to_numpy())

    @cached_property
    def right(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether each of the picks is of the true event that its event is, or of none as it is said to be."""
        event, true = self.picks["event"].to_numpy(), self.picks["true"].to_numpy()
        of_event = np.append(np.where(self.matched >= 0, self.matched, -2), -1)[event]
        return np.asarray(of_event == true)

    def densest(self) -> Ints:
        """Events, at most `TOGETHER` one after the other, whose origin times are nearest together."""
        n = min(TOGETHER, len(self.time))
        span = self.time[n - 1 :] - self.time[: len(self.time) - n + 1]
        first = int(np.argmin(span)) if n else 0
        return np.arange(first, first + n)


def _utc(times: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    utc: np.ndarray[tuple[int], np.dtype[np.datetime64]] = times.to_numpy("datetime64[us]")
    return utc


class Course(NamedTuple):
    """Numbers in bins of the record."""

    start: pd.DatetimeIndex
    """Beginning of each bin, UTC."""
    width: pd.Timedelta
    events: Ints
    picks: Ints
    used: Ints
    """Number of the picks that are of an event."""


def by_time(shown: Shown) -> Course:
    """Events and picks in the course of the record."""
    time, used = shown.picks["time"], shown.picks["event"] >= 0
    length = time.max() - time.min()
    width = next((width for width in reversed(WIDTHS) if length >= FEWEST_BINS * width), WIDTHS[0])
    first = time.min().floor(width)
    bins = pd.date_range(first, time.max(), freq=width)

    def counted(times: pd.Series) -> Ints:
        return np.bincount(np.clip((times - first) // width, 0, len(bins) - 1).astype(int), minlength=len(bins))

    return Course(bins, width, counted(pd.Series(shown.time)), counted(time), counted(time[used]))


def by_station(shown: Shown) -> pd.DataFrame:
    """Residuals of each station and phase that has some: their number, and the quartiles (s)."""
    groups = shown.own.groupby(["station", "phase"])["residual"]
    quartiles = groups.quantile(QUARTILES).unstack().set_axis(["low", "median", "high"], axis=1)
    return quartiles.assign(number=groups.size())


def by_distance(own: pd.DataFrame) -> pd.DataFrame:
    """Residuals in bins of distance with as many picks each: mean distance (km), and the median and 16 and 84 % (s)."""
    number = min(MOST_BINS, len(own) // FEWEST_PICKS)
    ordered = own[["distance", "residual"]].sort_values("distance", kind="stable")
    groups = ordered.groupby(np.arange(len(own)) * number // max(len(own), 1) if number else np.zeros(len(own), int))
    quantiles = groups["residual"].quantile(SPREAD).unstack().set_axis(["low", "median", "high"], axis=1)
    return quantiles.assign(distance=groups["distance"].mean())


class Reliability(NamedTuple):
    """How often probabilities are right, in bins that have any."""

    said: Floats
    """Mean probability in each bin."""
    right: Floats
    """Share that is right."""
    low: Floats
    """Ends of the interval of this share (Wilson's, of 95 %)."""
    high: Floats
    number: Ints


def reliability(said: Floats, right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Reliability:
    """Share of right ones among probabilities that are about the same.

    Examples
    --------
    >>> found = reliability(np.array([0.72, 0.78, 1.0]), np.array([True, False, True]))
    >>> found.said.tolist(), found.right.tolist(), found.number.tolist()
    ([0.75, 1.0], [0.5, 1.0], [2, 1])
    """
    place = np.clip(np.searchsorted(EDGES, said, side="right") - 1, 0, len(EDGES) - 2)
    number = np.bincount(place, minlength=len(EDGES) - 1)
    hits = np.bincount(place, right, minlength=len(number)).astype(int)
    own = np.flatnonzero(number)
    ends = [binomtest(int(hits[i]), int(number[i])).proportion_ci(LEVEL, "wilson") for i in own]
    mean = np.bincount(place, said, minlength=len(number))[own] / number[own]
    low, high = np.array(ends).reshape(-1, 2).T
    return Reliability(mean, hits[own] / number[own], low, high, number[own])
