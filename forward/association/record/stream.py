"""From pieces of an input to finished windows, of a record whose end is known or of a stream that goes on.

What is found in a window depends on the picks that it sees, on what earlier windows took, and on what was learned once; so the
pieces in which picks come, and the times at which a process ends and another goes on, change nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.association.record.finder import Finder, Sample, spacing_of
from vip.forward.association.record.inputs import Site, Survey, seconds, site
from vip.forward.association.record.parameters import Parameters
from vip.forward.association.record.pieces import PICK, Checker, Piece
from vip.forward.association.record.store import Basis, Store
from vip.forward.association.record.unknown import learned_times, retimed
from vip.forward.association.record.windows import LENGTH, Window, associated, margin, numbers, sees
from vip.forward.association.window.channels import Arrivals
from vip.forward.association.window.fit import Rules
from vip.forward.association.window.learning import DETECTION, SAMPLE, Learned, learn
from vip.forward.association.window.search import Grid, grid
from vip.protocols import Floats

log = logging.getLogger(__name__)

DOUBLE, MANY_DOUBLES = 0.05, 0.2
"""Time, s, between two picks of one arrival, and the share of picks that may be so by chance where arrivals are crowded."""
LATEST = 3
"""Number of picks that must be later than all that a window sees before it is complete: one or two may have a wrong date."""
FIRST_TIME, LAST_TIME = np.datetime64("1700", "us"), np.datetime64("2200", "us")
"""Times between which all picks are."""


class Span(NamedTuple):
    """Pieces one after the other."""

    first: int
    """Number of the first piece."""
    end: int
    """Number of the piece after the last."""
    row: int
    """Number of rows before."""
    rows: int
    begins: np.datetime64
    """Time of the earliest pick; the latest time of all where there is none."""
    ends: np.datetime64

    def and_(self, other: Span) -> Span:
        """These and the next."""
        begins, ends = min(self.begins, other.begins), max(self.ends, other.ends)
        return Span(self.first, other.end, self.row, self.rows + other.rows, begins, ends)


class Stream:
    """Windows of picks that come in pieces.

    Parameters
    ----------
    known : Survey
    asked : Parameters
    store : Store
        What it holds is gone on from.
    threads : int
    live : bool
        Whether windows are finished as soon as they are complete, before the end of the input is known. All stations then
        count, and what is learned is learned from the first windows that together have enough picks; otherwise stations that
        have picks count, and it is learned from the middle of all picks.
    """

    def __init__(self, known: Survey, asked: Parameters, store: Store, threads: int, live: bool = False) -> None:
        self.known, self.asked, self.store, self.threads, self.live = known, asked, store, threads, live
        self.checker = Checker(known.stations, known.rules)
        self.rows, self.events, self.sources, self.spans = 0, 0, set[str](), list[Span]()
        self.done: float = -np.inf
        self._picks, self._parts = np.zeros(0, PICK), list[NDArray[np.void]]()
        self._latest = np.zeros(0, "M8[us]")
        self._finder: Finder | None = None
        self._site = self._of_all_stations() if live else None
        self._edges = margin(self._nodes(self._site)) if self._site else 0.0  # before anything is learned
        self._restore()

    def add(self, piece: Piece) -> None:
        """Take a piece and keep it, without picks that would belong to windows that are finished."""
        if self.live and self._finder is not None:
            after = seconds(piece.time, self._finder.reference) - 2 * margin(self._finder.nodes)
            piece = piece.without(np.floor_divide(after, LENGTH) <= self.done)
        self.store.add(piece)
        self._take(piece)

    def complete(self) -> Iterator[Window]:
        """Find the windows that no later pick may change."""
        if self._finder is None and not self._begun(ended=False):
            return
        finder = self.finder
        if len(self._latest) == LATEST:
            now = float(seconds(self._latest, finder.reference).min()) - 2 * margin(finder.nodes)
            last = int(now // LENGTH) - 1
            yield from self._found(last)
            self.done = max(self.done, last)
            self._forget()

    def rest(self) -> Iterator[Window]:
        """Find all windows that are left, as if no pick were to come."""
        if self._finder is not None or self._begun(ended=True):
            yield from self._found(None)
            if not self.live:
                self.done = np.inf
                self.store.end()

    def begin(self) -> None:
        """Learn what is to be learned from the picks that there are, unless that was done."""
        if self._finder is None:
            self._begun(ended=True)

    @property
    def finder(self) -> Finder:
        """What windows are found with.

        Raises
        ------
        ConfigError
            If there were no picks to learn from.
        """
        if self._finder is None:
            raise ConfigError("picks", "none", "at least one is needed")
        return self._finder

    def left(self) -> int:
        """Number of windows that are left if no pick comes."""
        times = seconds(self.picks["time"], self.finder.reference)
        return sum(number > self.done for number in numbers(times, margin(self.finder.nodes)))

    def needed(self, since: int) -> int:
        """Number of the first piece that has picks which windows still have to see, or rows from `since` on."""
        oldest = self.picks["row"].min(initial=since)
        return next((span.first for span in self.spans if span.row + span.rows > oldest), len(self.spans))

    @property
    def picks(self) -> NDArray[np.void]:
        """Picks that windows still have to see, by time; those of the same time by row."""
        if self._parts:
            self._picks, self._parts = np.concatenate([self._picks, *self._parts]), []
            if (np.diff(self._picks["time"]) < np.timedelta64(0)).any():
                self._picks = self._picks[np.argsort(self._picks["time"], kind="stable")]
        return self._picks

    def _take(self, piece: Piece) -> None:
        self._parts.append(piece.picks(self.rows))
        begins, ends = (piece.time.min(), piece.time.max()) if len(piece.time) else (LAST_TIME, FIRST_TIME)
        self.spans.append(Span(len(self.spans), len(self.spans) + 1, self.rows, len(piece.rows), begins, ends))
        self.rows += len(piece.rows)
        self.sources.add(piece.source)
        self._latest = np.sort(np.append(self._latest, piece.time))[-LATEST:]

    def _retime(self) -> None:
        """Take the travel times that were learned, if any were."""
        if self.store.times is not None:
            self.known, self._site = retimed(self.known, self.store.times), None

    def _restore(self) -> None:
        self._retime()
        for piece in self.store.pieces():
            self.checker.remember(piece)
            self._take(piece)
        if self.store.basis is None:
            return
        self._prepare(self.store.basis)
        taken = [window.pick[window.found.event >= 0] for window in self._counted(self.store.windows())]
        if taken:
            self.picks["taken"] = np.isin(self.picks["row"], np.concatenate(taken))
        if self.store.finished:
            self.done = np.inf

    def _counted(self, windows: Iterable[Window]) -> Iterator[Window]:
        for window in windows:
            self.done = window.number
            self.events += len(window.found.events.time)
            yield window

    def _found(self, last: int | None) -> Iterator[Window]:
        finder, picks = self.finder, self.picks
        edges, times = margin(finder.nodes), seconds(picks["time"], finder.reference)
        for number in numbers(times, edges):
            if number <= self.done or (last is not None and number > last):
                continue
            low, high = np.searchsorted(times, sees(number, edges))
            seen = low + np.flatnonzero(~picks["taken"][low:high])
            arrivals = finder.arrivals(picks[seen])
            order = np.lexsort((arrivals.time, arrivals.channel))
            found = associated(number, arrivals.of(order), finder.site.channels, finder.nodes, finder.rules, self.threads)
            picks["taken"][seen[order[found.event >= 0]]] = True
            window = Window(number, picks["row"][seen[order]], found)
            self.store.finish(window)
            yield from self._counted([window])

    def _forget(self) -> None:
        """Leave picks that no window will see any more."""
        first, _ = sees(int(self.done) + 1, margin(self.finder.nodes))
        self._picks = self._picks[seconds(self._picks["time"], self.finder.reference) >= first]

    def _of_all_stations(self) -> Site:
        inside = self.known.rules.inside
        stations = range(len(self.known.stations.names)) if inside is None else np.flatnonzero(inside).tolist()
        return self._placed([(station, phase) for station in stations for phase in sorted(self.known.rules.phases)])

    def _placed(self, pairs: Iterable[tuple[int, str]]) -> Site:
        """The region of some stations and phases."""
        place = site(self.known, pairs, self.threads)
        if len(place.channels) < self.asked.least:
            least = self.asked.least
            remedy = f"an event needs {least} picks, at most one of each phase at each station: lower `least`, or add stations"
            raise ConfigError("stations and phases with picks", len(place.channels), remedy)
        return place

    def _nodes(self, place: Site, rate: float = 0.0) -> Grid:
        """Nodes on which events are sought first."""
        rules = self._rules(place, 1.0, DETECTION)
        return grid(place.channels, rules, self.asked.spacing or spacing_of(rules), rate)

    def _rules(self, place: Site, density: float, detection: float) -> Rules:
        return Rules(place.box.lower, place.box.upper, detection, density, self.asked.least)

    def _begun(self, ended: bool) -> bool:
        """Learn what is to be learned, if there are picks enough, and keep it."""
        picks = self.picks
        if not len(picks):
            return False
        reference = _floored(picks["time"][0])
        if self.live:
            n = self._first_windows(seconds(picks["time"], reference), reference, ended)
            if not n:
                return False
            picks = picks[:n]
        if self.asked.unknown_times and self.store.times is None:
            self.store.keep(learned_times(self._sample(picks, reference), self.known, self.asked, self.threads))
            self._retime()
        basis, nodes = self._learned(picks, reference)
        self.store.begin(basis)
        self._prepare(basis, nodes)
        return True

    def _first_windows(self, times: Floats, reference: np.datetime64, ended: bool) -> int:
        """Number of picks of the first complete windows that have enough; 0 if there are none."""
        if len(times) < SAMPLE:
            return len(times) if ended else 0
        end = (times[SAMPLE - 1] // LENGTH + 1) * LENGTH
        is_over = ended or seconds(self._latest, reference).min() >= end + 2 * self._edges
        return int(np.searchsorted(times, end)) if is_over else 0

    def _sample(self, picks: NDArray[np.void], reference: np.datetime64) -> Sample:
        """The middle of some picks, and the rate of events if every pick were of one that all stations see."""
        if self._site is None:
            used = np.unique(picks[["station", "is_s"]])
            self._site = self._placed((int(i), "S" if is_s else "P") for i, is_s in used)
        place, probability = self._site, float(picks["probability"].mean())
        rules = self._rules(place, 1.0, DETECTION)
        events = max(1.0, len(picks) / (DETECTION * len(place.channels)))
        times = seconds(picks["time"], reference)
        length = max(1.0, min(float(np.ptp(times)), LENGTH * len(np.unique(times // LENGTH))))  # one may have a wrong date
        rules = rules._replace(density=events / (rules.volume * length))  # only its logarithm counts
        start, unsaid = max(0, (len(picks) - SAMPLE) // 2), Learned(dict.fromkeys("PS", np.nan), DETECTION)
        middle = picks[start : start + SAMPLE]
        rate = len(middle) / (len(place.channels) * max(float(np.ptp(seconds(middle["time"], reference))), 1.0))
        finder = Finder(place, self._nodes(place, rate), rules, reference, probability, unsaid)
        arrivals = finder.arrivals(middle)
        return Sample(finder, arrivals.of(np.lexsort((arrivals.time, arrivals.channel))), rate)

    def _learned(self, picks: NDArray[np.void], reference: np.datetime64) -> tuple[Basis, Grid]:
        (place, nodes, rules, _, probability, _), arrivals, rate = self._sample(picks, reference)
        _warn_of_doubles(arrivals)
        learned, _ = learn(arrivals, place.channels, nodes, rules, self.asked.detection, self.threads)
        learned = learned._replace(sigma=learned.sigma | self.asked.sigmas())
        return Basis(reference, place.pairs, probability, rules.density, rate, learned), nodes

    def _prepare(self, basis: Basis, nodes: Grid | None = None) -> None:
        place = self._site = self._site or self._placed(basis.pairs)
        nodes = nodes or self._nodes(place, basis.rate)
        rules = self._rules(place, basis.density, basis.learned.detection)
        self._finder = Finder(place, nodes, rules, basis.reference, basis.probability, basis.learned)


def _warn_of_doubles(picks: Arrivals) -> None:
    """Warn the user where many picks are made twice, as by two pickers or by windows that overlap."""
    near = (np.diff(picks.channel) == 0) & (np.diff(picks.time) < DOUBLE)
    if near.sum() > MANY_DOUBLES * len(picks.time):
        log.warning(
            "%d of %d picks come less than %g s after another of the same station and phase: from two pickers, or from windows"
            " that overlap? events would be found twice; leave one of each out",
            near.sum(),
            len(picks.time),
            DOUBLE,
        )


def _floored(time: np.datetime64) -> np.datetime64:
    """The multiple of the windows' length, counted from 1970, that comes before."""
    length, start = np.timedelta64(int(LENGTH), "s"), np.datetime64(0, "us")
    floored: np.datetime64 = (start + int((time - start) // length) * length).astype("M8[us]")
    return floored
