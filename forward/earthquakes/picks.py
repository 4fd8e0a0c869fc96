"""Picks of events, and picks without an event. An error in one of them becomes a `Fault` and does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.earthquakes.stations import Stations
from vip.protocols import Floats

log = logging.getLogger(__name__)

PHASES = {name: name[0].upper() for name in ("P", "p", "Pg", "Pn", "Pb", "P*", "P1", "S", "s", "Sg", "Sn", "Sb", "S*", "S1")}
"""First arrivals by the name of the phase: direct, refracted below the crust, refracted within it. Others are left out."""
ISO_8601 = r"\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d(?::?\d\d(?:\.\d+)?)?(Z|[+-]\d\d(?::?\d\d)?|)"
"""A date and a time of the day; its only group is the offset from UTC, empty where there is none."""
LOCAL = "00000"
"""Offset from UTC of a time that has none."""
LATEST = pd.Timestamp("2200-01-01").timestamp()
"""Latest time that is read from a number, s since 1970; a larger number is in other units."""
SIGMAS = (1e-6, 10.0)
"""Smallest and largest standard deviation of a pick without an event, s: the resolution of times, and an error in its unit."""
FARTHEST = np.timedelta64(15 * 365, "D")
"""Longest time of a pick without an event from the middle of the others; more is a typing error in a date, or a default."""
COLUMNS = ["event", "station", "phase", "time", "sigma", "weight", "source", "identifier", "probability", "amplitude"]
"""Columns of the table into which every format is read first: text as it is in the file, and where it came from.

A column `surplus` may follow, with the first field of a row that is beyond the header.
"""


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
    """Standard deviations (n,), s; not a number where none is given and the rules do not need one."""
    weight: Floats
    """Weights (n,), larger than 0."""
    source: list[str]
    """Origin of each pick (n,): "line 12", or its resource identifier."""
    identifier: list[str]
    """Identifier of each pick (n,), no two alike: that of the input, or else the number of its row there, from 0."""
    probability: Floats
    """Probabilities (n,) that the picker gives, larger than 0 and at most 1; 1 where it gives none."""
    amplitude: Floats
    """Amplitudes (n,), in the picker's units; not a number where it gives none."""
    row: NDArray[np.intp]
    """Row of each pick (n,) in the input, counted from 0."""

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
    sigma_needed: bool = True
    """Whether a pick without a standard deviation is a fault; a pick of an event always is."""
    inside: NDArray[np.bool_] | None = None
    """Whether each station (n_stations,) is inside the model; None if all are."""
    model: str = "the model"
    """Name of the model in messages, and where it is."""
    fewest: int = 4
    """Least number of picks of an event: as many as it has unknowns."""
    longest: float = 3600.0
    """Longest time from the first pick of an event to its last, s; more is a typing error in a date."""


def with_times(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns `utc` and `zone`, from times as ISO 8601 or as a number, which is seconds since 1970 in UTC.

    `utc` is not a time where unreadable; `zone` is the offset from UTC as +0100, or `LOCAL`.
    """
    offset = table["time"].str.extract(f"^{ISO_8601}$", expand=False)
    is_iso = offset.notna()
    iso = pd.to_datetime(table["time"].where(is_iso), format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
    seconds = pd.to_numeric(table["time"][~is_iso], errors="coerce").astype(float)
    seconds = seconds.where(seconds.abs() <= LATEST)
    numbers = pd.to_datetime((seconds * 1e6).round(), unit="us").astype("datetime64[us]")
    written = offset.fillna("Z")
    zones = {zone: zone.replace("Z", "+0000").replace(":", "").ljust(5, "0") for zone in written.unique()}
    return table.assign(utc=iso.astype("datetime64[us]").fillna(numbers), zone=written.map(zones))


def checked_picks(table: pd.DataFrame, stations: Stations, rules: PickRules, file: Path) -> tuple[Picks, list[Fault]]:
    """Picks of the events without a fault, from a table with the columns of `COLUMNS`, `utc` and `zone`."""
    first_source = table.groupby("event", sort=False)["source"].first()
    table = _of_known_phases(_with_numbers(table, stations, rules), file)
    checks = [
        (table["event"] == "", "an event needs a name; give this pick one, or leave it out"),
        *_checks_of_rows(table, rules),
        _without_sigma(table),
        *_checks_within_events(table, rules),
    ]
    faults = [*_faults_of_rows(checks, table, file), *_faults_of_counts(table, first_source, rules, file)]
    rank = {event: i for i, event in enumerate(first_source.index)}
    faults.sort(key=lambda fault: rank[fault.event])
    bad = {fault.event for fault in faults}
    good = _first_arrivals(table[~table["event"].isin(bad)], file)
    return _arrays(good, [event for event in rank if event not in bad]), faults


class Before:
    """What is known of the parts of an input that came before another: 16 bytes a pick.

    Attributes
    ----------
    local : bool, optional
        Whether most times of the first part have no offset from UTC; unknown before there is one.
    middle : datetime64, optional
        Median of the times of the first part; unknown before there is one.
    """

    def __init__(self) -> None:
        self.local: bool | None = None
        self.middle: np.datetime64 | None = None
        self._rows, self._wrong = 0, dict[str, tuple[int, str]]()
        self._picks: NDArray[Any] = np.zeros(0, np.uint64)
        self._identifiers: NDArray[Any] = np.zeros(0, np.uint64)

    def add(self, station: NDArray[np.intp], kind: NDArray[np.str_], utc: NDArray[np.datetime64], names: Iterable[str]) -> None:
        """Remember picks by the index of their station, phase ("P" or "S") and time, and their identifiers."""
        self._picks = _merged(self._picks, _hashes_of_picks(station, kind, utc))
        self._identifiers = _merged(self._identifiers, _hashes_of_text(names))

    def count(self, first: NDArray[np.intp], checks: list[Check], table: pd.DataFrame, file: Path) -> None:
        """Count the rows (n,) of a table by the first check that each fails, with an example of each."""
        self._rows += len(table)
        for i, number in enumerate(np.bincount(first, minlength=len(checks))[: len(checks)]):
            if number:
                _, fault = next(_rows_with_faults(table[first == i][:1], checks[i][1], file))
                example = f"first in {fault.place.removeprefix(f'{file}, ')}: {fault.message}"
                before, example = self._wrong.get(checks[i][1], (0, example))
                self._wrong[checks[i][1]] = before + int(number), example

    def check_few_wrong(self, file: Path) -> None:
        """Raise a ConfigError that names the commonest fault if more than half of the rows so far have one."""
        wrong = sum(number for number, _ in self._wrong.values())
        if 2 * wrong > self._rows:
            number, example = max(self._wrong.values(), key=lambda found: found[0])
            remedy = f"most have a fault; the commonest, {number} times, {example}"
            raise ConfigError("picks", f"{wrong} of {self._rows}", remedy, file)

    def has_picks(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Which picks (n,) of a table with the columns index, kind and utc were there."""
        return _contains(self._picks, _hashes_of_picks(*(table[name].to_numpy() for name in ("index", "kind", "utc"))))

    def has_identifiers(self, names: pd.Series) -> NDArray[np.bool_]:
        """Which identifiers (n,) were there."""
        return _contains(self._identifiers, _hashes_of_text(names))


def _hashes_of_picks(station: NDArray[Any], kind: NDArray[Any], utc: NDArray[Any]) -> NDArray[np.uint64]:
    columns = {"station": station.astype(np.int64), "s": kind == "S", "utc": utc.astype("datetime64[us]").astype(np.int64)}
    hashes: NDArray[Any] = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()
    return hashes


def _hashes_of_text(text: Iterable[str]) -> NDArray[np.uint64]:
    hashes: NDArray[np.uint64] = pd.util.hash_array(np.array(list(text), dtype=object), categorize=False)
    return hashes


def _merged(ordered: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint64]:
    new = np.sort(others)
    merged: NDArray[Any] = np.insert(ordered, np.searchsorted(ordered, new), new)
    return merged


def _contains(ordered: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    at = np.searchsorted(ordered, wanted)
    found: NDArray[np.bool_] = np.append(ordered, np.uint64(0))[at] == wanted
    return found & (at < len(ordered))


def checked_unassociated(
    table: pd.DataFrame, stations: Stations, rules: PickRules, file: Path, before: Before | None = None
) -> tuple[UnassociatedPicks, list[Fault]]:
    """Picks without a fault, in the order of their times, from a table as for `checked_picks`; its events do not count.

    The table may be a part of an input of which others came before; it is then counted with those.

    Raises
    ------
    ConfigError
        If it is no part, and more than half of the picks have a fault; it names the commonest.
    """
    alone, before = before is None, before or Before()
    table = _with_numbers(table.assign(event=""), stations, rules)
    table = table.assign(
        probability_number=_numbers(table["probability"], 1.0), amplitude_number=_numbers(table["amplitude"], np.nan)
    )
    checks = [*_checks_without_events(table, stations, before), *_checks_of_rows(table, rules)]
    checks += [_without_sigma(table)] if rules.sigma_needed else []
    checks += _checks_of_copies(table, _first_checks(checks, table) == len(checks), before)
    first = _first_checks(checks, table)
    before.count(first, checks, table, file)
    if alone:
        before.check_few_wrong(file)
    faults = [
        (row, fault)
        for i, (_, message) in enumerate(checks)
        if (first == i).any()
        for row, fault in _rows_with_faults(table[first == i], message, file)
    ]
    good = _unassociated(table[first == len(checks)].sort_values("utc", kind="stable"))
    before.add(good.station, good.phase, good.absolute_time(), good.identifier)
    return good, [fault for _, fault in sorted(faults, key=lambda found: found[0])]


def _first_checks(checks: list[Check], table: pd.DataFrame) -> NDArray[np.intp]:
    """Index of the first check that each row (n,) of the table fails; their number if it fails none."""
    fails = np.stack([*(np.asarray(wrong, bool) for wrong, _ in checks), np.ones(len(table), bool)])
    found: NDArray[np.intp] = fails.argmax(axis=0)
    return found


def _with_numbers(table: pd.DataFrame, stations: Stations, rules: PickRules) -> pd.DataFrame:
    """The table without weights of 0, with columns `weight_number`, `kind`, `surplus`, `index` (of the station), `sigma_s`."""
    table = table.reset_index(drop=True)
    weight = _numbers(table["weight"], 1.0)
    table = table.assign(weight_number=weight, kind=table["phase"].map(PHASES), surplus=table.get("surplus", ""))
    table = table[table["weight_number"] != 0]
    default = table["kind"].map(dict(rules.default_sigma)).astype(float)
    return table.assign(
        index=table["station"].map(stations.indices(table["station"].unique())),
        sigma_s=_numbers(table["sigma"], np.nan).where(table["sigma"] != "", default),
    )


def _numbers(text: pd.Series, absent: float) -> pd.Series:
    """Numbers from text, not a number where unreadable, and `absent` where the text is empty."""
    given = text != ""
    values = pd.Series(absent, index=text.index, dtype=float)
    values[given] = pd.to_numeric(text[given], errors="coerce").astype(float)
    return values


def _of_known_phases(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """The table without other phases than first P and S, the number of which is logged."""
    others = table.loc[table["kind"].isna(), "phase"].value_counts()
    if len(others):
        counts = ", ".join(f"{name or 'no name'} ({number})" for name, number in others.items())
        log.warning("%s: picks of other phases than first P and S are left out: %s", file, counts)
    return table[table["kind"].notna()]


Check = tuple[pd.Series | NDArray[np.bool_], str]
"""Rows that are wrong, and the message for one of them, in which words in braces are columns of the table."""


def _checks_of_rows(table: pd.DataFrame, rules: PickRules) -> list[Check]:
    """Checks of each pick alone."""
    known = table["index"].notna()
    outside = np.flatnonzero([] if rules.inside is None else ~rules.inside)
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
            "time {time!r}: cannot be read; write it as 2024-05-17T09:30:12.34, or as seconds since 1970 in UTC "
            "(NonLinLoc: 20240517 0930 12.34; REAL: seconds of the day)",
        ),
        (
            (table["sigma"] != "") & ~_positive(table["sigma_s"]),
            "sigma {sigma!r}: must be a positive number of seconds (NonLinLoc: GAU 0.05)",
        ),
        (~_positive(table["weight_number"]), "weight {weight!r}: must be a number and not negative"),
        (table["surplus"] != "", "{surplus!r}: there are more fields than in the header; is a line broken?"),
    ]


def _without_sigma(table: pd.DataFrame) -> Check:
    """Check that each pick has a standard deviation, its own or that of its phase."""
    unsaid = (table["sigma"] == "") & table["sigma_s"].isna()
    return unsaid, "no sigma; give it (s), or a default for phase {kind} (`sigma`; --sigma of `vip locate`)"


def _checks_without_events(table: pd.DataFrame, stations: Stations, before: Before) -> list[Check]:
    """Checks of what only picks without events have."""
    probability, amplitude = table["probability_number"], table["amplitude_number"]
    extreme = _positive(table["sigma_s"]) & ~table["sigma_s"].between(*SIGMAS)
    return [
        (table["kind"].isna(), "phase {phase!r}: is neither P nor S; leave this pick out"),
        (~probability.between(0, 1, inclusive="right"), "probability {probability!r}: must be larger than 0 and at most 1"),
        (
            ~np.isfinite(amplitude) & ~table["amplitude"].str.lower().isin(["", "nan"]),
            "amplitude {amplitude!r}: must be a number, or empty",
        ),
        (extreme, f"sigma {{sigma!r}}: must be from {SIGMAS[0]:g} to {SIGMAS[1]:g}; is it in seconds?"),
        *_checks_of_zones(table, before),
        (
            _not_running(table, stations),
            "time {time!r}: station {station!r} had not begun or had ended by its epochs; is the date right, and are these "
            "the stations of that time?",
        ),
        _far_from_others(table, before),
    ]


def _checks_of_zones(table: pd.DataFrame, before: Before) -> list[Check]:
    """Checks that either all times have an offset from UTC, or none; those that are fewer, in the first part, are wrong."""
    readable, local = table["utc"].notna(), table["zone"] == LOCAL
    if before.local is None and readable.any():
        before.local = bool(2 * (readable & local).sum() > readable.sum())
    mostly_local = bool(before.local)
    return [
        (readable & local & (not mostly_local), "time {time!r}: has no offset from UTC, others have; add it (Z for UTC)"),
        (readable & ~local & mostly_local, "time {time!r}: has an offset from UTC, most others have none; use one"),
    ]


def _far_from_others(table: pd.DataFrame, before: Before) -> Check:
    """Check that times are within some years of the middle of the first part."""
    times = np.sort(table["utc"].dropna().to_numpy("datetime64[us]"))
    if before.middle is None and len(times):
        before.middle = times[len(times) // 2]
    far = pd.Series(False, table.index) if before.middle is None else (table["utc"] - before.middle).abs() > FARTHEST
    return far, "time {time!r}: is more than 15 years from most others; is the date right?"


def _not_running(table: pd.DataFrame, stations: Stations) -> pd.Series:
    """Whether a pick is before the first or after the last moment of its station."""
    if stations.operation is None:
        return pd.Series(False, index=table.index)
    known = table["index"].notna()
    first, last = stations.operation[table["index"].fillna(0).astype(int)].T
    outside: pd.Series = known & ((table["utc"] < first) | (table["utc"] > last))
    return outside


def _checks_of_copies(table: pd.DataFrame, good: NDArray[np.bool_], before: Before) -> list[Check]:
    """Checks that no pick, and no identifier, is in the file twice, among those without another fault."""
    once = table[good].drop_duplicates(["index", "kind", "utc"])
    once = once[~before.has_picks(once)]
    named = once.drop_duplicates("identifier")
    named = named[~before.has_identifiers(named["identifier"])]
    twice = good & ~table.index.isin(once.index)
    renamed = good & ~twice & ~table.index.isin(named.index)
    return [
        (twice, "station {station!r}, phase {phase!r}, time {time!r}: this pick is in the file twice; keep one of the two"),
        (renamed, "identifier {identifier!r}: another pick has it; give each its own"),
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
    return UnassociatedPicks(
        reference=first,
        time=(utc - first) / np.timedelta64(1, "s"),
        identifier=table["identifier"].tolist(),
        probability=table["probability_number"].to_numpy(float),
        amplitude=table["amplitude_number"].to_numpy(float),
        row=table.index.to_numpy(np.intp),
        **_columns(table),
    )


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    """Columns that both kinds of picks have."""
    return {
        "station": table["index"].to_numpy(np.intp),
        "phase": table["kind"].to_numpy(str),
        "sigma": table["sigma_s"].to_numpy(float),
        "weight": table["weight_number"].to_numpy(float),
        "source": table["source"].tolist(),
    }
