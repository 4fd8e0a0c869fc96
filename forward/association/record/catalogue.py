"""The result of an association: events, and what became of every pick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.association.record.finder import Finder
from vip.forward.association.record.inputs import Inputs
from vip.forward.association.record.located import Expected, Located
from vip.forward.association.window.associate import Association
from vip.forward.association.window.learning import Learned, residuals
from vip.forward.association.window.reasons import WAITING, reasons
from vip.forward.earthquakes.formats import csv, hypodd, quakeml
from vip.forward.earthquakes.formats.nonlinloc import phases
from vip.forward.earthquakes.origins import Origin
from vip.forward.earthquakes.picks import Fault, Picks
from vip.forward.earthquakes.stations import Stations

MEASURES = ["depth", "time_uncertainty", "sigma_east", "sigma_north", "sigma_down", "semi_major", "semi_minor", "azimuth"]
COUNTS = ["picks", "picks_p", "picks_s"]
QUALITY = ["rms", "gap", "nearest", "log_odds"]
OF_EVENTS = {".xml": quakeml.growing, ".pha": hypodd.growing, ".obs": phases.growing}
"""How catalogues of events are written, by the end of the file's name; they have no place for picks that are left out."""
SHOWN = 10
"""Number of events in the text and the HTML of a catalogue."""


class Counts(NamedTuple):
    """What is in a catalogue."""

    events: int = 0
    rows: int = 0
    left: Mapping[str, int] = MappingProxyType({})
    """Number of rows without an event by the kind of reason, the commonest first."""

    def and_(self, others: Counts) -> Counts:
        """These and those of another part."""
        left = Counter(self.left) + Counter(others.left)
        return Counts(self.events + others.events, self.rows + others.rows, dict(left.most_common()))

    def __str__(self) -> str:
        kinds = "; ".join(f"{kind} {number}" for kind, number in self.left.items())
        used = self.rows - sum(self.left.values())
        return f"{self.events} events, {used} of {self.rows} picks" + (f"; left out: {kinds}" if kinds else "")


@dataclass(frozen=True, eq=False, repr=False)
class Catalogue:
    """Events that were found in picks, and the event of each pick.

    Attributes
    ----------
    events : DataFrame
        A row for each event by time: event (its name), time (UTC), latitude and longitude in degrees (or y and x, km), depth
        (km); standard deviations time_uncertainty (s), sigma_east, sigma_north, sigma_down (km); semi_major, semi_minor (km)
        and azimuth (degrees) of the epicentre's ellipse of 68 %; picks, picks_p, picks_s; rms (s), gap (degrees), nearest (km)
        and log_odds, the natural logarithm of the odds against chance.
    assignments : DataFrame
        A row for each row of the input, in its order: id (that of the input, or else the number of the row, from 0),
        station and phase as they were given, time (UTC), event (empty if none), probability (that it is of this event; or
        of none), residual (s) and the reason why it has no event.
    learned : Learned
        What was assumed of picks that do not say it: sigma (s) by phase, and the probability that a wave is picked.
    faults : list of Fault
        Rows that are no picks.
    speed : DataFrame, optional
        If speeds were unknown: depth (km) of the top of each layer, vp and vs, and their standard deviations sigma_vp and
        sigma_vs (km/s), given the association.
    stations : DataFrame, optional
        If corrections were unknown: station, its position, correction_p and correction_s, and their standard deviations sigma_p
        and sigma_s (s).
    """

    events: pd.DataFrame
    assignments: pd.DataFrame
    learned: Learned
    faults: list[Fault]
    speed: pd.DataFrame | None = field(default=None, kw_only=True)
    stations: pd.DataFrame | None = field(default=None, kw_only=True)
    _origins: list[Origin] = field(repr=False)
    _picks: Picks = field(repr=False)
    _stations: Stations = field(repr=False)
    _expected: Expected = field(repr=False)

    def to_obspy(self) -> Any:
        """Events with their picks, origins and arrivals as obspy's `Catalog`.

        Raises
        ------
        VIPError
            If obspy is not installed, or places are not in degrees.
        """
        return quakeml.catalog(self._origins, self._picks, self._stations)

    def write(self, path: str | Path) -> list[Path]:
        """Write the catalogue, and return the files.

        If the name ends in .csv, these are two tables, of which the second, NAME_assignments.csv, has every row of the input.
        If it ends in .xml, it is QuakeML; in .pha, the phases of HypoDD's ph2dt; in .obs, those of NonLinLoc.

        Raises
        ------
        ConfigError
            If the name has another end.
        VIPError
            If a file cannot be written, or QuakeML or HypoDD is asked of places in km.
        """
        write([self], path)
        return files_of(Path(path))

    def picks_table(self) -> pd.DataFrame:
        """Picks of the events with the columns event, station, phase, time, sigma and id, as `vip locate` reads them."""
        picks = self._picks
        return pd.DataFrame(
            {
                "event": np.array(picks.events, dtype=object)[picks.event()],
                "station": [self._stations.names[i] for i in picks.station],
                "phase": picks.phase,
                "time": pd.Series(picks.absolute_time()).dt.tz_localize("UTC"),
                "sigma": picks.sigma,
                "id": picks.source,
            }
        )

    def counts(self) -> Counts:
        """Numbers of events, of rows and of those without an event by the kind of reason."""
        why = self.assignments.loc[self.assignments["event"] == "", "reason"]
        left = Counter(text.partition(":")[0] for text in why)
        return Counts(len(self.events), len(self.assignments), dict(left.most_common()))

    def left_out(self) -> dict[str, int]:
        """Number of rows without an event by the kind of reason, the commonest first."""
        return dict(self.counts().left)

    def summary(self) -> str:
        """Counts, in one line."""
        return str(self.counts())

    def __repr__(self) -> str:
        return f"{self.summary()}\n{self.events.head(SHOWN).to_string(index=False, float_format='%.3f')}"

    def _repr_html_(self) -> str:
        """HTML for a notebook."""
        return f"<p>{self.summary()}</p>{self.events.head(SHOWN).to_html(index=False, float_format='{:.3f}'.format)}"


def write(parts: Iterable[Catalogue], path: str | Path) -> Counts:
    """Write a catalogue that comes in parts as `Catalogue.write` does, and return what is in it."""
    files, counts = files_of(Path(path)), Counts()
    with ExitStack() as stack:
        if files[0].suffix in OF_EVENTS:
            add = stack.enter_context(OF_EVENTS[files[0].suffix](files[0]))
            adds: list[Callable[[Catalogue], None]] = [lambda part: add(part._origins, part._picks, part._stations)]
        else:
            add_events, add_rows = (stack.enter_context(csv.growing(file)) for file in files)
            adds = [lambda part: add_events(part.events), lambda part: add_rows(part.assignments)]
        for part in parts:
            counts = counts.and_(part.counts())
            for each in adds:
                each(part)
    return counts


def files_of(path: Path) -> list[Path]:
    """Files of a catalogue, by the end of its name."""
    match path.suffix:
        case ".csv":
            return [path, path.with_name(f"{path.stem}_assignments.csv")]
        case suffix if suffix in OF_EVENTS:
            return [path]
        case _:
            known = ".csv (two tables), .xml (QuakeML), .pha (HypoDD) or .obs (NonLinLoc's phases)"
            raise ConfigError("output", path, f"expected a name that ends in {known}")


def catalogue(inputs: Inputs, found: Association, located: Located, finder: Finder, waiting: NDArray[np.bool_]) -> Catalogue:
    """The catalogue of an association, in which some arrivals (n,) still wait for later picks."""
    events = _events(located, inputs.site.network.projection is not None)
    assignments = _assignments(inputs, found, located, finder.rules.least, waiting)
    stations = inputs.site.network.stations
    return Catalogue(
        events, assignments, finder.learned, inputs.faults, located.origins, located.picks, stations, located.expected
    )


def _events(located: Located, geographic: bool) -> pd.DataFrame:
    columns = ["event", "time", *(("latitude", "longitude") if geographic else ("y", "x")), *MEASURES, *COUNTS, *QUALITY]
    if not located.origins:
        return pd.DataFrame(columns=columns)
    picks = located.picks
    of_phase = {
        f"picks_{phase.lower()}": np.add.reduceat(picks.phase == phase, picks.start[:-1], dtype=int) for phase in ("P", "S")
    }
    log_odds = np.array([origin.log_odds for origin in located.origins], dtype=float)
    return csv.origin_table(located.origins).assign(**of_phase, log_odds=log_odds)[columns]


def _assignments(inputs: Inputs, found: Association, located: Located, least: int, waiting: NDArray[np.bool_]) -> pd.DataFrame:
    rows, row, channels = inputs.rows, inputs.row, inputs.site.channels
    names = np.empty(len(located.order) + 1, object)
    names[located.order], names[-1] = located.picks.events, ""
    identifiers = rows["identifier"].to_numpy(object)[row].tolist()
    event, reason = np.full(len(rows), "", object), rows["left"].to_numpy(object).copy()
    probability, residual = np.full((2, len(rows)), np.nan)
    event[row], probability[row] = names[found.event], found.probability
    residual[row] = residuals(inputs.arrivals, channels, found)
    reason[row] = reasons(inputs.arrivals, channels, found, names[:-1].tolist(), identifiers, least)
    unsure = row[waiting & (found.event < 0)]
    reason[unsure], probability[unsure] = WAITING, np.nan
    return pd.DataFrame(
        {
            "id": rows["identifier"].to_numpy(),
            "station": rows["station"].to_numpy(),
            "phase": rows["phase"].to_numpy(),
            "time": pd.Series(rows["utc"].to_numpy()).dt.tz_localize("UTC"),
            "event": event,
            "probability": probability,
            "residual": residual,
            "reason": reason,
        }
    )
