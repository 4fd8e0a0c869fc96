"""What a stream's pieces and finished windows make together: all at once, or catalogues that need only what is near."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.forward.association.record.catalogue import Catalogue, catalogue
from vip.forward.association.record.finder import Finder
from vip.forward.association.record.inputs import Inputs, seconds
from vip.forward.association.record.located import Located, locate
from vip.forward.association.record.pieces import ROWS, Piece
from vip.forward.association.record.store import LearnedTimes
from vip.forward.association.record.stream import Span, Stream
from vip.forward.association.record.windows import LENGTH, Window, joined, margin, only
from vip.forward.association.window.associate import Association
from vip.forward.association.window.channels import Ints
from vip.forward.association.window.reasons import FAR


class Associated(NamedTuple):
    """An association with all that it was made from."""

    inputs: Inputs
    """The input, every pick with a standard deviation."""
    found: Association
    located: Located
    waiting: NDArray[np.bool_]
    """Whether each of the arrivals (n,) waits for windows that are not done."""
    finder: Finder
    times: LearnedTimes = LearnedTimes()

    def catalogue(self) -> Catalogue:
        """Events, and what became of every pick."""
        made = catalogue(self.inputs, self.found, self.located, self.finder, self.waiting)
        return replace(made, **self.times._asdict())


def gathered(stream: Stream) -> Associated:
    """All that was found so far."""
    found = _of_pieces(list(stream.store.pieces()), 0, stream.store.windows(), stream.finder, stream.done)
    return found._replace(times=stream.store.times or LearnedTimes())


def parts(stream: Stream, rows: int = ROWS) -> Iterator[Catalogue]:
    """The catalogue of `gathered` in parts of about so many rows, if these are in the order of time; else all at once."""
    spans, edges = _ordered(stream.spans, rows), margin(stream.finder.nodes)
    beyond = FAR + LENGTH + 4 * edges  # as far as events, with all of their picks, may be named in a part
    times = [seconds(np.array([span.begins, span.ends]), stream.finder.reference) for span in spans]
    begins = [-np.inf, *(begin - edges for begin, _ in times[1:]), np.inf]  # all picks of a part's events are before the next
    for i, (span, (begin, end)) in enumerate(zip(spans, times, strict=True)):
        near = [j for j, (other, its_end) in enumerate(times) if its_end >= begin - beyond and other <= end + beyond] or [i]
        first, last = spans[near[0]], spans[near[-1]]
        pieces = list(stream.store.pieces(first.first, last.end))
        windows = stream.store.windows((begin - 2 * beyond) // LENGTH, (end + 2 * beyond) // LENGTH)
        found = _of_pieces(pieces, first.row, windows, stream.finder, stream.done).catalogue()
        own = pieces[span.first - first.first : span.end - first.first]
        row = span.row - first.row
        yield _cut(found, slice(row, row + span.rows), _between(found, stream.finder, begins[i], begins[i + 1]), own)


def of_window(stream: Stream, window: Window, since: int) -> Catalogue:
    """The events that begin in a window, and the rows that it saw, with those since the row `since` that are no picks."""
    rows = np.append(window.pick, since)
    near = [span for span in stream.spans if span.row + span.rows > rows.min()]
    pieces = list(stream.store.pieces(near[0].first if near else len(stream.spans)))
    first = near[0].row
    found = _of_pieces(pieces, first, [window], stream.finder, np.inf).catalogue()
    left = np.concatenate([piece.rows["left"].to_numpy(object) for piece in pieces]) != ""
    left[: since - first] = False
    left[window.pick - first] = True
    return _cut(found, left, np.ones(len(found.events), bool), pieces)


def _ordered(spans: Iterable[Span], rows: int) -> list[Span]:
    """Pieces together until they have about so many rows and none is earlier than those before, but for a window's length."""
    slack, joint = np.timedelta64(int(LENGTH), "s"), list[Span]()
    for span in spans:
        joint.append(span)
        while len(joint) > 1:
            before, last = joint[-2:]
            if last.begins >= before.ends - slack and last.begins >= before.begins and before.rows + last.rows > rows:
                break
            joint[-2:] = [before.and_(last)]
    return joint


def _of_pieces(pieces: list[Piece], first: int, windows: Iterable[Window], finder: Finder, done: float) -> Associated:
    """What was found in some pieces one after the other, of which the first begins with the row `first` of the input."""
    inputs = _inputs(pieces, finder)
    at = np.full(len(inputs.rows), -1)
    at[inputs.row] = np.arange(len(inputs.row))
    found = joined((_inside(window, at, first) for window in windows), len(inputs.row))
    waiting = np.floor_divide(inputs.arrivals.time + margin(finder.nodes), LENGTH) > done
    return Associated(inputs, found, locate(inputs, found, finder.rules), waiting, finder)


def _inside(window: Window, at: Ints, first: int) -> Window:
    """A window with the arrivals of rows from `first` on, by their index `at` each row, and the events that have no others."""
    row = window.pick - first
    inside = (row >= 0) & (row < len(at))
    outside = np.setdiff1d(window.found.event[~inside], [-1])
    found = only(window.found, ~np.isin(np.arange(len(window.found.events.time)), outside))
    return Window(
        window.number,
        at[row[inside]],
        found._replace(event=found.event[inside], probability=found.probability[inside], too_few=found.too_few[inside]),
    )


def _inputs(pieces: list[Piece], finder: Finder) -> Inputs:
    rows = pd.concat([piece.rows for piece in pieces], ignore_index=True)
    before = np.cumsum([0, *(len(piece.rows) for piece in pieces)])
    picks = np.concatenate([piece.picks(start) for start, piece in zip(before, pieces, strict=False)])
    arrivals = finder.arrivals(picks)
    order = np.lexsort((arrivals.time, arrivals.channel))
    faults = [fault for piece in pieces for fault in piece.faults]
    return Inputs(rows, faults, finder.site, arrivals.of(order), picks["row"][order], finder.reference)


def _between(found: Catalogue, finder: Finder, begins: float, ends: float) -> NDArray[np.bool_]:
    """Which of the events have their origin times, s, between two."""
    times = seconds(np.array([origin.time for origin in found._origins], "M8[us]"), finder.reference)
    return (times >= begins) & (times < ends)


def _cut(found: Catalogue, rows: slice | NDArray[np.bool_], chosen: NDArray[np.bool_], pieces: list[Piece]) -> Catalogue:
    """Some of the rows, which are those of some pieces, and of the events."""
    return replace(
        found,
        events=found.events[chosen].reset_index(drop=True),
        assignments=found.assignments[rows].reset_index(drop=True),
        faults=[fault for piece in pieces for fault in piece.faults],
        _origins=[origin for origin, own in zip(found._origins, chosen, strict=True) if own],
        _picks=found._picks.of(chosen),
        _expected=found._expected._replace(time=found._expected.time[chosen]),
    )
