"""The front door: picks, stations and velocities in, from files or tables; a catalogue of events out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from vip.errors import ConfigError
from vip.forward.association.record.border import at_border, warn_of
from vip.forward.association.record.catalogue import Catalogue
from vip.forward.association.record.gathering import gathered, of_window
from vip.forward.association.record.inputs import Earth, Survey, region_of, survey
from vip.forward.association.record.parameters import Parameters
from vip.forward.association.record.pieces import pieces_of
from vip.forward.association.record.store import Memory
from vip.forward.association.record.stream import Stream
from vip.forward.earthquakes.frames import Source, named, pick_parts_from


def associate(
    picks: Source | Iterable[pd.DataFrame],
    stations: Source,
    velocity: Source,
    *,
    depth: tuple[float, float] = (0.0, 30.0),
    margin: float | None = None,
    region: Mapping[Literal["latitude", "longitude", "x", "y"], tuple[float, float]] | None = None,
    sigma: float | Mapping[str, float] | None = None,
    speed_sigma: float | None = None,
    correction_sigma: float | None = None,
    detection: float | None = None,
    least: int = 5,
    spacing: float | None = None,
    between: Literal["constant", "linear"] = "constant",
    projection: str | None = None,
    cache: str | Path | None = None,
    threads: int | None = None,
) -> Catalogue:
    """Find the earthquakes in picks, and which picks are theirs.

    Parameters
    ----------
    picks : path, DataFrame or iterable of DataFrame
        Station, phase and time of each pick and, if wanted, sigma (s), probability, amplitude and id; see
        `vip.forward.earthquakes.reading.read_unassociated` for files and for the names that other programs give the columns.
        Several tables are parts of one, and how it is cut does not change the result.
    stations : path or DataFrame
        Station, latitude, longitude (or x, y in km) and elevation_m; or a file, see `read_stations` there.
    velocity : path or DataFrame
        Depth (km), vp and vs (km/s) of layers; or a file, see `read_velocity` there.
    depth : (top, bottom)
        Depths in which events are sought, km below sea level.
    margin : float, optional
        Distance, km, by which the region reaches beyond the stations that have picks; half of their extent if it is not given.
    region : mapping, optional
        Borders (from, to) of the region instead: latitude and longitude in degrees, or y and x in km.
    sigma : float or mapping, optional
        Standard deviation, s, of picks that have none, errors of the velocities included: one, or one for "P" and one for "S".
        If it is not given, it is learned from the residuals of the events that are found first.
    speed_sigma : float, optional
        Standard deviation of the logarithm of each layer's speed of P, and of its ratio of P to S, about those of `velocity`:
        0.1 is a tenth of the speed. If it is given, speeds are unknown, and learned from the picks; else they are known.
    correction_sigma : float, optional
        Standard deviation, s, of a correction of the times of each phase at each station. If it is given, corrections are
        learned, together with the speeds.
    detection : float, optional
        Probability that a wave is picked at a station within reach of the event; learned if it is not given.
    least : int
        Least number of picks of an event.
    spacing : float, optional
        Spacing of the nodes on which events are sought first, km; 5 km where the number of nodes allows it.
    between : "constant" or "linear"
        Velocity between the depths of layers.
    projection : str, optional
        PROJ string or EPSG code of the map; a transverse Mercator about the stations if it is not given.
    cache : path, optional
        Folder in which travel times are kept; by default in the user's cache.
    threads : int, optional
        Number of threads, by default that of the cores; it does not change the result.

    Returns
    -------
    Catalogue

    Raises
    ------
    ConfigError
        If something is wrong with a parameter, or with a file as a whole; the message names what and what would be right.
    """
    asked = Parameters(
        depth, margin, region, sigma, detection, least, spacing, between, projection, speed_sigma, correction_sigma
    )
    stream = ended(picks, surveyed(stations, velocity, asked, cache), asked, threads)
    found = gathered(stream)
    warn_of(at_border(found.located.origins, stream.finder.site.box))
    return found.catalogue()


def ended(picks: Source | Iterable[pd.DataFrame], known: Survey, asked: Parameters, threads: int | None = None) -> Stream:
    """The stream of all picks, of which every window is found; see `associate` for the parameters.

    Raises
    ------
    ConfigError
        As `associate` does.
    """
    stream = Stream(known, asked, Memory(), threads_or_all(threads))
    for piece in pieces_of(picks, stream.checker):
        stream.add(piece)
    for _ in stream.rest():
        pass
    return stream


def follow(
    picks: Iterable[pd.DataFrame],
    stations: Source,
    velocity: Source,
    *,
    cache: str | Path | None = None,
    threads: int | None = None,
    **asked: Any,
) -> Iterator[Catalogue]:
    """Find the earthquakes of a stream of picks, window by window, as soon as no later pick may change what a window has.

    Parameters
    ----------
    picks : iterable of DataFrame
        Tables as for `associate`, in the order of time; within one, rows may have any order. A pick that comes after a window
        which would have seen it was finished is left out, with that reason.
    stations, velocity, cache, threads
        As for `associate`; all stations count, whether they have picks or not.
    **asked
        The other parameters of `associate`. What is to be learned is learned from the first windows that have 1000 picks.

    Yields
    ------
    Catalogue
        Events that begin in a window of ten minutes, and the rows that it saw, of which those beyond its ends may be of events
        of others; also rows since the catalogue before that are no picks. How picks are cut does not change the events.

    Raises
    ------
    ConfigError
        As `associate` does.
    """
    parameters, store, since = Parameters(**asked), Memory(), 0
    if parameters.unknown_times:
        remedy = (
            "cannot be learned from a stream: learn speeds from a record of picks first, and give the tables that come back"
        )
        raise ConfigError("speed_sigma, correction_sigma", "given", remedy)
    stream = Stream(surveyed(stations, velocity, parameters, cache), parameters, store, threads_or_all(threads), live=True)
    for table in pick_parts_from(picks):
        stream.add(stream.checker.piece(table, named(table, "picks")))
        for window in stream.complete():
            yield of_window(stream, window, since)
            since = stream.rows
        store.forget(stream.needed(since))
    for window in stream.rest():
        yield of_window(stream, window, since)
        since = stream.rows


def surveyed(stations: Source, velocity: Source, asked: Parameters, cache: str | Path | None = None) -> Survey:
    """Stations and velocities, checked with all that is asked; see `associate` for the parameters.

    Raises
    ------
    ConfigError
        If something is wrong with one of them.
    """
    asked.check()
    earth = Earth(region_of(asked.borders()), asked.between, asked.projection, Path(cache) if cache else None)
    return survey(stations, velocity, earth, asked.sigmas())


def threads_or_all(threads: int | None) -> int:
    """The number of threads that is asked, or that of the cores.

    Raises
    ------
    ConfigError
        If it is less than one.
    """
    from dask.system import CPU_COUNT

    if threads is not None and threads < 1:
        raise ConfigError("threads", threads, "must be at least 1")
    return threads or CPU_COUNT
