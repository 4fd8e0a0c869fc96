"""Picks of events, and picks without an event. An error in one of them becomes a `Fault` and does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.forward.earthquakes.stations import Stations
from vip.protocols import Floats

log = logging.getLogger(__name__)

PHASES = {name: name[0].upper() for name in ("P", "p", "Pg", "Pn", "Pb", "P*", "P1", "S", "s", "Sg", "Sn", "Sb", "S*", "S1")}
"""First arrivals by the name of the phase: direct, refracted below the crust, refracted within it. Others are left out."""
ISO_8601 = r"\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d(?::?\d\d(?:\.\d+)?)?(Z|[+-]\d\d(?::?\d\d)?|)"
"""A date and a time of the day; its only group is the offset from UTC, empty where there is none."""
COLUMNS = ["event", "station", "phase", "time", "sigma", "weight", "source"]
"""Columns of the table into which every format is read first: text as it is in the file, and where it came from."""


class Fault(NamedTuple):
    """A fault of one event, or of a pick that has none: what is wrong, and what would be right."""

    event: str
    """Name of the event; empty where there is none."""
    place: str
    """Place of the fault: file and line, or the pick's resource identifier."""
    message: str

    def __str__(self) -> str:
        return f"{f'event {self.event}: ' if self.event else ''}{self.place}: {self.message}"


class Picks(NamedTuple):
    """Picks of all events, one event after the other."""

    events: list[str]
    start: NDArray[np.intp]
    """Index of the first pick of each event (n_events + 1,): the picks of event i are start[i]:start[i + 1]."""
    reference: NDArray[np.datetime64]
    """Reference times (n_events,), UTC, in microseconds: the first pick of each event, floored to the second."""
    station: NDArray[np.intp]
    """Index of the station of each pick (n,)."""
    phase: NDArray[np.str_]
    """Phase of each pick (n,), "P" or "S"."""
    time: Floats
    """Times (n,), s after the event's reference."""
    sigma: Floats
    """Standard deviations (n,), s."""
    weight: Floats
    """Weights (n,), larger than 0."""
    source: list[str]
    """Origin of each pick (n,): "line 12", or its resource identifier."""

    def event(self) -> NDArray[np.intp]:
        """Index of the event of each pick (n,)."""
        return np.repeat(np.arange(len(self.events)), np.diff(self.start))

    def absolute_time(self) -> NDArray[np.datetime64]:
        """Times (n,) in UTC, in microseconds."""
        times: NDArray[np.datetime64] = self.reference[self.event()] + np.rint(self.time * 1e6).astype("timedelta64[us]")
        return times

    def of(self, events: NDArray[np.bool_]) -> Picks:
        """Picks of the chosen events (n_events,) alone."""
        size, own = np.diff(self.start)[events], np.flatnonzero(events[self.event()])
        return Picks(
            events=[name for name, chosen in zip(self.events, events, strict=True) if chosen],
            start=np.concatenate([[0], np.cumsum(size)]),
            reference=self.reference[events],
            **{name: getattr(self, name)[own] for name in ("station", "phase", "time", "sigma", "weight")},
            source=[self.source[i] for i in own],
        )


class UnassociatedPicks(NamedTuple):
    """Picks that carry no event, in the order of their times: the input of a phase associator."""

    reference: np.datetime64
    """Reference time, UTC, in microseconds: the first pick, floored to the second."""
    station: NDArray[np.intp]
    """Index of the station of each pick (n,)."""
    phase: NDArray[np.str_]
    """Phase of each pick (n,), "P" or "S"."""
    time: Floats
    """Times (n,), s after the reference."""
    sigma: Floats
    """Standard deviations (n,), s."""
    weight: Floats
    """Weights (n,), larger than 0."""
    source: list[str]
    """Origin of each pick (n,): "line 12", or its resource identifier."""

    def absolute_time(self) -> NDArray[np.datetime64]:
        """Times (n,) in UTC, in microseconds."""
        times: NDArray[np.datetime64] = self.reference + np.rint(self.time * 1e6).astype("timedelta64[us]")
        return times


class PickRules(NamedTuple):
    """Rules that picks must comply with."""

    phases: frozenset[str] = frozenset(PHASES.values())
    """Phases that have a velocity."""
    default_sigma: Mapping[str, float] = {}
    """Standard deviation by phase, s, for picks for which the file gives none; without it, such a pick is a fault."""
    inside: NDArray[np.bool_] | None = None
    """Whether each station (n_stations,) is inside the model; None if all are."""
    model: str = "the model"
    """Name of the model in messages, and where it is."""
    fewest: int = 4
    """Least number of picks of an event: as many as it has unknowns."""
    longest: float = 3600.0
    """Longest time from the first pick of an event to its last, s; more is a typing error in a date."""


def with_iso_times(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns `utc`, not a time where unreadable, and `zone`: offset as +0100, zeros if there is none."""
    offset = table["time"].str.extract(f"^{ISO_8601}$", expand=False)
    readable = table["time"].where(offset.notna())
    utc = pd.to_datetime(readable, format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
    zone = offset.str.replace("Z", "+0000").str.replace(":", "").str.ljust(5, "0")
    return table.assign(utc=utc.astype("datetime64[us]"), zone=zone)


def checked_picks(table: pd.DataFrame, stations: Stations, rules: PickRules, file: Path) -> tuple[Picks, list[Fault]]:
    """Picks of the events without a fault, from a table with the columns of `COLUMNS`, `utc` and `zone`."""
    first_source = table.groupby("event", sort=False)["source"].first()
    table = _with_numbers(table, stations, rules, file)
    checks = [
        (table["event"] == "", "an event needs a name; give this pick one, or leave it out"),
        *_checks_of_rows(table, rules),
        *_checks_within_events(table, rules),
    ]
    faults = [*_faults_of_rows(checks, table, file), *_faults_of_counts(table, first_source, rules, file)]
    rank = {event: i for i, event in enumerate(first_source.index)}
    faults.sort(key=lambda fault: rank[fault.event])
    bad = {fault.event for fault in faults}
    good = _first_arrivals(table[~table["event"].isin(bad)], file)
    return _arrays(good, [event for event in rank if event not in bad]), faults


def checked_unassociated(
    table: pd.DataFrame, stations: Stations, rules: PickRules, file: Path
) -> tuple[UnassociatedPicks, list[Fault]]:
    """Picks without a fault, in the order of their times, from a table as for `checked_picks`; its events do not count."""
    table = _with_numbers(table.assign(event=""), stations, rules, file)
    checks = [
        *_checks_of_rows(table, rules),
        (
            table["index"].notna() & table["utc"].notna() & table.duplicated(["index", "phase", "utc"]),
            "station {station!r}, phase {phase!r}, time {time!r}: this pick is in the file twice; keep one of the two",
        ),
        (_other_zone(table), "time {time!r}: other times have another offset from UTC, or none; use one"),
    ]
    found = [row for wrong, message in checks for row in _rows_with_faults(table[wrong], message, file)]
    first: dict[int, Fault] = {}
    for row, fault in found:
        first.setdefault(row, fault)
    good = table.drop(index=list(first)).sort_values("utc", kind="stable")
    return _unassociated(good), [first[row] for row in sorted(first)]


def _with_numbers(table: pd.DataFrame, stations: Stations, rules: PickRules, file: Path) -> pd.DataFrame:
    """The table with columns `weight_number`, `kind`, `index` (of the station), `sigma_s`; no weight of 0, no other phase."""
    table = table.reset_index(drop=True)
    table = table.assign(weight_number=pd.to_numeric(table["weight"].replace("", "1"), errors="coerce"))
    table = _of_known_phases(table[table["weight_number"] != 0], file)
    given = pd.to_numeric(table["sigma"], errors="coerce")
    return table.assign(
        index=table["station"].map(stations.indices()),
        sigma_s=given.where(table["sigma"] != "", table["kind"].map(rules.default_sigma)),
    )


def _of_known_phases(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """The table with a column `kind`, "P" or "S"; other phases are left out, and their number is logged."""
    table = table.assign(kind=table["phase"].map(PHASES))
    others = table.loc[table["kind"].isna(), "phase"].value_counts()
    if len(others):
        counts = ", ".join(f"{name or 'no name'} ({number})" for name, number in others.items())
        log.warning("%s: picks of other phases than first P and S are left out: %s", file, counts)
    return table[table["kind"].notna()]


Check = tuple[pd.Series, str]
"""Rows that are wrong, and the message for one of them, in which words in braces are columns of the table."""


def _checks_of_rows(table: pd.DataFrame, rules: PickRules) -> list[Check]:
    """Checks of each pick alone."""
    known = table["index"].notna()
    outside = np.flatnonzero([] if rules.inside is None else ~rules.inside)
    unsaid = table["sigma"] == ""
    return [
        (~known, "station {station!r}: there is no such station; add it to the stations, or leave this pick out"),
        (
            table["index"].isin(outside),
            f"station {{station!r}}: lies outside {rules.model}; enlarge the model, or leave this pick out",
        ),
        (
            ~table["kind"].isin(rules.phases),
            "phase {phase!r}: the model has no velocity of {kind}; add one, or leave this pick out",
        ),
        (
            table["utc"].isna(),
            "time {time!r}: cannot be read; write it as 2024-05-17T09:30:12.34 (NonLinLoc: 20240517 0930 12.34)",
        ),
        (
            unsaid & table["sigma_s"].isna(),
            "no sigma; give it (s), or a default for phase {kind} (`sigma`; --sigma of `vip locate`)",
        ),
        (~unsaid & ~_positive(table["sigma_s"]), "sigma {sigma!r}: must be a positive number of seconds (NonLinLoc: GAU 0.05)"),
        (~_positive(table["weight_number"]), "weight {weight!r}: must be a number and not negative"),
    ]


def _checks_within_events(table: pd.DataFrame, rules: PickRules) -> list[Check]:
    """Checks of each pick against the others of its event."""
    known = table["index"].notna()
    return [
        (
            known & table.duplicated(["event", "index", "phase"]),
            "station {station!r}, phase {phase!r}: picked twice; keep one of the two",
        ),
        (_other_zone(table), "time {time!r}: this event has times of different offsets from UTC, or some without; use one"),
        (
            _far_apart(table, rules.longest),
            f"time {{time!r}}: more than {rules.longest:g} s from another pick; is the date right?",
        ),
    ]


def _faults_of_rows(checks: Iterable[Check], table: pd.DataFrame, file: Path) -> Iterator[Fault]:
    """The first fault of each kind for each event."""
    for wrong, message in checks:
        for _, fault in _rows_with_faults(table[wrong].drop_duplicates("event"), message, file):
            yield fault


def _rows_with_faults(wrong: pd.DataFrame, message: str, file: Path) -> Iterator[tuple[int, Fault]]:
    """Faults of rows of the table, each with its message."""
    for number, row in zip(wrong.index, wrong.to_dict("records"), strict=True):
        yield (
            number,
            Fault(
                row["event"], f"{file}, {row['source']}", message.format_map({str(name): value for name, value in row.items()})
            ),
        )


def _positive(values: pd.Series) -> pd.Series:
    return (values > 0) & (values < np.inf)


def _other_zone(table: pd.DataFrame) -> pd.Series:
    """Whether a time that can be read has another offset from UTC than the first of its event."""
    readable = table["utc"].notna()
    first = table[readable].drop_duplicates("event").set_index("event")["zone"]
    return readable & (table["zone"] != table["event"].map(first))


def _far_apart(table: pd.DataFrame, longest: float) -> pd.Series:
    """The pick furthest from the median time of its event, if the picks span more than `longest`, s."""
    seconds = (table["utc"] - table["utc"].min()).dt.total_seconds()
    by_event = seconds.groupby(table["event"])
    off = (seconds - by_event.transform("median")).abs()
    spans = by_event.transform("max") - by_event.transform("min")
    furthest: pd.Series = (spans > longest) & (off == off.groupby(table["event"]).transform("max"))
    return furthest


def _faults_of_counts(table: pd.DataFrame, first_source: pd.Series, rules: PickRules, file: Path) -> Iterator[Fault]:
    """Faults of events with too few picks, not counting later arrivals of a phase at a station."""
    counts = (
        table.drop_duplicates(["event", "station", "kind"]).groupby("event").size().reindex(first_source.index, fill_value=0)
    )
    for event, number in counts[counts < rules.fewest].items():
        message = f"{number} picks of P and S; at least {rules.fewest} are needed, add picks or leave the event out"
        yield Fault(str(event), f"{file}, {first_source[str(event)]}", message)


def _first_arrivals(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """The table with only the earlier one where a station has, say, Pg and Pn: travel times are those of first arrivals."""
    earliest = table.sort_values("utc", kind="stable").drop_duplicates(["event", "index", "kind"]).index
    later = len(table) - len(earliest)
    if later:
        log.warning("%s: %d later arrivals of a phase that a station has twice (such as Pg and Pn) are left out", file, later)
    return table.loc[earliest.sort_values()]


def _arrays(table: pd.DataFrame, events: list[str]) -> Picks:
    """Picks sorted by event, in the order of the file."""
    code = pd.Categorical(table["event"], categories=events).codes
    order = np.argsort(code, kind="stable")
    table, code = table.iloc[order], code[order]
    start = np.searchsorted(code, np.arange(len(events) + 1))
    utc = table["utc"].to_numpy("datetime64[us]")
    first = np.minimum.reduceat(utc, start[:-1]) if len(events) else utc
    reference = first.astype("datetime64[s]").astype("datetime64[us]")
    return Picks(
        events=events,
        start=start,
        reference=reference,
        time=(utc - reference[code]) / np.timedelta64(1, "s"),
        **_columns(table),
    )


def _unassociated(table: pd.DataFrame) -> UnassociatedPicks:
    """Picks without events, from a table in the order of its times."""
    utc = table["utc"].to_numpy("datetime64[us]")
    reference = utc[:1].astype("datetime64[s]").astype("datetime64[us]")
    first = reference[0] if len(reference) else np.datetime64("NaT", "us")
    return UnassociatedPicks(reference=first, time=(utc - first) / np.timedelta64(1, "s"), **_columns(table))


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    """Columns that both kinds of picks have."""
    return {
        "station": table["index"].to_numpy(np.intp),
        "phase": table["kind"].to_numpy(str),
        "sigma": table["sigma_s"].to_numpy(float),
        "weight": table["weight_number"].to_numpy(float),
        "source": list(table["source"]),
    }
