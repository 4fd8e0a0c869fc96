"""Speeds and station corrections that are not known: what is given of them, and the tables of what was found."""

from __future__ import annotations

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.association.record.finder import Sample, spacing_of
from vip.forward.association.record.inputs import Site, Survey
from vip.forward.association.record.inputs import spacing_of as spacing_of_times
from vip.forward.association.record.parameters import Parameters
from vip.forward.association.record.store import LearnedTimes
from vip.forward.association.speed.code import Family, Fixed, layers
from vip.forward.association.speed.times import TimesOfCode
from vip.forward.association.speed.together import Speed, Unknown, learn_speed
from vip.forward.association.window.channels import Channels
from vip.forward.association.window.learning import DETECTION, FIRST, Learned, learn, with_sigma
from vip.forward.association.window.search import grid
from vip.forward.earthquakes.frames import velocity_from
from vip.forward.earthquakes.stations import Stations
from vip.forward.earthquakes.traveltimes.tables import Solver
from vip.forward.earthquakes.velocity import Layered
from vip.protocols import Floats

AGAIN = 2
"""Fits of travel times after the first, each with standard deviations that were learned from the one before."""
DIFFERENCE = 1e-4
"""Step of an entry of a code over which speeds are compared."""


def learned_times(sample: Sample, known: Survey, asked: Parameters, threads: int) -> LearnedTimes:
    """Travel times that fit a sample of the picks of a record, as tables of speeds and of stations with corrections.

    Errors of times and of picks are told apart in turn: what is left after one fit is the standard deviation in the next. None
    is learned before the first, since it would take in errors of times, and with them wrong picks.

    Parameters
    ----------
    sample : Sample
    known : Survey
        Speeds and corrections about which those of the picks are sought.
    asked : Parameters
    threads : int

    Raises
    ------
    ConfigError
        If speeds in three dimensions are said to be unknown.
    """
    finder, picks, _ = sample
    given, rules, detection = finder.site.channels, finder.rules, asked.detection
    spacing, what = asked.spacing or spacing_of(rules), _unknown(known, asked, finder.site, threads)

    def fitted(learned: Learned, start: Speed | None) -> Speed:
        known = rules._replace(detection=learned.detection)
        return learn_speed(with_sigma(picks, given, learned.sigma), given, known, spacing, what, threads, start)

    before = Learned(dict(FIRST), DETECTION if detection is None else detection)
    found = fitted(before, None)
    for _ in range(AGAIN):
        learned, _ = learn(picks, found.channels, grid(found.channels, rules, spacing), rules, detection, threads)
        if learned == before:
            break
        found, before = fitted(learned, found), learned
    return _tables(finder.site.network.stations, what, found)


def retimed(known: Survey, times: LearnedTimes) -> Survey:
    """What is known before any pick, with speeds and corrections that were learned."""
    if times.speed is not None:
        known = known._replace(velocity=velocity_from(times.speed, known.earth.between))
    if times.stations is not None:
        known = known._replace(stations=_corrected(known.stations, times.stations))
    return known


def _corrected(stations: Stations, learned: pd.DataFrame) -> Stations:
    """Stations with the corrections of a table, in which there are some of them."""
    index = {name: i for i, name in enumerate(stations.names)}
    own, corrections = [index[name] for name in learned["station"]], {}
    for phase in ("P", "S"):
        if f"correction_{phase.lower()}" in learned:
            corrections[phase] = stations.corrections.get(phase, np.zeros(len(index))).copy()
            corrections[phase][own] = learned[f"correction_{phase.lower()}"]
    return stations._replace(corrections=corrections)


def _unknown(known: Survey, asked: Parameters, place: Site, threads: int) -> Unknown:
    """What is not known of travel times."""
    sigma, velocity = asked.speed_sigma, known.velocity
    if sigma is None:
        family: Family = Fixed(velocity)
    elif isinstance(velocity, Layered):
        family = layers(velocity, sigma, known.earth.between)
    else:
        raise ConfigError("speed_sigma", sigma, "needs velocities in layers; leave it out for those in three dimensions")
    solver = Solver(place.box, spacing_of_times(place.box), None, threads)
    return Unknown(TimesOfCode(family, solver, place.network.projection), asked.correction_sigma or 0.0)


def _tables(stations: Stations, what: Unknown, found: Speed) -> LearnedTimes:
    """Speeds, and stations with their corrections, with standard deviations."""
    sigma = np.sqrt(np.diag(found.covariance)[len(found.code) :])
    return LearnedTimes(
        speed_table(what.times.family, found) if len(found.code) else None,
        station_table(stations, found.channels, sigma) if len(found.correction) else None,
    )


def speed_table(family: Family, found: Speed) -> pd.DataFrame:
    """Speeds of P and S at the tops of layers, km/s, and their standard deviations."""
    size = len(found.code)
    model = family.model(found.code)
    if not isinstance(model, Layered):
        raise TypeError(type(model).__name__)
    others = [family.model(found.code + step) for step in DIFFERENCE * np.eye(size)]
    speeds, sigmas = {}, {}
    for phase, name in (("P", "vp"), ("S", "vs")):
        if phase in model.phases:
            by_code = np.stack([other.velocity[phase] - model.velocity[phase] for other in others], axis=1) / DIFFERENCE
            speeds[name] = model.velocity[phase]
            sigmas[f"sigma_{name}"] = _deviations(by_code, found.covariance[:size, :size])
    return pd.DataFrame({"depth": model.tops, **speeds, **sigmas})


def _deviations(by_code: Floats, covariance: Floats) -> Floats:
    deviations: Floats = np.sqrt(np.einsum("nk,kl,nl->n", by_code, covariance, by_code))
    return deviations


def station_table(stations: Stations, channels: Channels, sigma: Floats) -> pd.DataFrame:
    """Stations with the corrections of their channels and standard deviations (n_channels,) of these, s."""
    axes = ["latitude", "longitude"] if stations.geographic else ["y", "x"]
    table = pd.DataFrame(stations.position, columns=[*axes, "elevation_km"])
    table.insert(0, "station", stations.names)
    for name, values in (("correction", channels.correction), ("sigma", sigma)):
        for phase in np.unique(channels.phase):
            own, column = channels.phase == phase, np.zeros(len(table))
            column[channels.station[own]] = values[own]
            table[f"{name}_{phase.lower()}"] = column
    return table
