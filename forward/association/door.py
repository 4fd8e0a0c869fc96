"""The front door: picks, stations and velocities in, from files or tables; a catalogue of events out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from vip.errors import ConfigError
from vip.forward.association.associate import Association
from vip.forward.association.border import warn_of_border
from vip.forward.association.catalogue import Catalogue, catalogue
from vip.forward.association.fit import Rules
from vip.forward.association.inputs import Earth, Inputs, read, region_of
from vip.forward.association.learning import DETECTION, FIRST, Learned, learn, middle, with_sigma
from vip.forward.association.located import Located, locate
from vip.forward.association.search import Grid, grid
from vip.forward.association.unknown import LearnedTimes, unknown, with_learned_times
from vip.forward.association.windows import whole
from vip.forward.earthquakes.frames import Source

SPACING = 5.0
"""Spacing, km, of the nodes on which events are sought first, as far as their number is within these limits."""
LEAST_NODES, MOST_NODES = 1000, 50_000


def associate(
    picks: Source,
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
    picks : path or DataFrame
        Station, phase and time of each pick and, if wanted, sigma (s), probability, amplitude and id; see
        `vip.forward.earthquakes.reading.read_unassociated` for files and for the names that other programs give the columns.
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
    from dask.system import CPU_COUNT

    given = _sigmas(sigma)
    _check(detection, least, spacing, threads)
    borders: dict[str, tuple[float, float]] = {str(name): ends for name, ends in (region or {}).items()}
    earth = Earth(region_of({"depth": depth, "margin": margin, **borders}), between, projection, Path(cache) if cache else None)
    threads = threads or CPU_COUNT
    inputs = read(picks, stations, velocity, earth, given, threads)
    times, what = LearnedTimes(), unknown(inputs, speed_sigma, correction_sigma, between)
    if what:
        rules = _rules(inputs, least)
        inputs, times = with_learned_times(inputs, rules, spacing or _spacing(rules), what, detection, threads)
    result = associated(inputs, given, detection, least, spacing, threads)
    warn_of_border(result.located, result.inputs.box)
    return replace(catalogue(*result[:4]), **times._asdict())


class Associated(NamedTuple):
    """An association with all that it was made from."""

    inputs: Inputs
    """The input, every pick with a standard deviation."""
    found: Association
    located: Located
    learned: Learned
    rules: Rules
    nodes: Grid


def associated(
    inputs: Inputs, sigma: Mapping[str, float], detection: float | None, least: int, spacing: float | None, threads: int
) -> Associated:
    """Learn what is not given, and associate the whole record; for parameters see `associate`.

    Raises
    ------
    ConfigError
        If there are fewer channels than an event needs.
    """
    if len(inputs.channels) < least:
        remedy = f"an event needs {least} picks, at most one of each phase at each station: lower `least`, or add stations"
        raise ConfigError("stations and phases with picks", len(inputs.channels), remedy)
    rules = _rules(inputs, least)
    nodes = grid(inputs.channels, rules, spacing or _spacing(rules), _rate(inputs))
    learned, rules = _learned(inputs, nodes, rules, sigma, detection, threads)
    inputs = inputs._replace(arrivals=with_sigma(inputs.arrivals, inputs.channels, learned.sigma))
    found = whole(inputs.arrivals, inputs.channels, nodes, rules, threads)
    return Associated(inputs, found, locate(inputs, found, rules), learned, rules, nodes)


def _sigmas(sigma: float | Mapping[str, float] | None) -> dict[str, float]:
    if sigma is None:
        return {}
    by_phase = dict(sigma) if isinstance(sigma, Mapping) else dict.fromkeys(FIRST, float(sigma))
    for phase, value in by_phase.items():
        if phase not in FIRST:
            raise ConfigError("sigma", phase, "expected P or S")
        if not 0 < value < np.inf:
            raise ConfigError("sigma", value, "must be a positive number of seconds")
    return by_phase


def _check(detection: float | None, least: int, spacing: float | None, threads: int | None) -> None:
    if detection is not None and not 0 < detection < 1:
        raise ConfigError("detection", detection, "must be a probability between 0 and 1")
    if least < 4:
        raise ConfigError("least", least, "must be at least 4, the number of unknowns of an event")
    if spacing is not None and not 0 < spacing < np.inf:
        raise ConfigError("spacing", spacing, "must be a positive number of km")
    if threads is not None and threads < 1:
        raise ConfigError("threads", threads, "must be at least 1")


def _rules(inputs: Inputs, least: int) -> Rules:
    """Rules with the rate of events if every pick were of one that all stations see; only its logarithm counts."""
    rules = Rules(inputs.box.lower, inputs.box.upper, DETECTION, 1.0, least)
    events = max(1.0, len(inputs.arrivals.time) / (DETECTION * len(inputs.channels)))
    length = max(float(np.ptp(inputs.arrivals.time)), 1.0)
    return rules._replace(density=events / (rules.volume * length))


def _spacing(rules: Rules) -> float:
    volume = rules.volume
    return float(np.clip(SPACING, np.cbrt(volume / MOST_NODES), np.cbrt(volume / LEAST_NODES)))


def _rate(inputs: Inputs) -> float:
    """Picks of a channel, 1/s, in the middle of the record."""
    time = inputs.arrivals.time[middle(inputs.arrivals.time)]
    return len(time) / (len(inputs.channels) * max(float(np.ptp(time)), 1.0))


def _learned(
    inputs: Inputs, nodes: Grid, rules: Rules, sigma: Mapping[str, float], detection: float | None, threads: int
) -> tuple[Learned, Rules]:
    learned, rules = learn(inputs.arrivals, inputs.channels, nodes, rules, detection, threads)
    return learned._replace(sigma=learned.sigma | dict(sigma)), rules
