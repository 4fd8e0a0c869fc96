"""Speeds and station corrections that are not known: what is given of them, and the tables of what was found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.association.channels import Channels
from vip.forward.association.code import Family, Fixed, layers
from vip.forward.association.fit import Rules
from vip.forward.association.inputs import Inputs
from vip.forward.association.learning import DETECTION, FIRST, Learned, learn, middle, with_sigma
from vip.forward.association.search import grid
from vip.forward.association.speed import Speed, Unknown, learn_speed
from vip.forward.association.times import TimesOfCode
from vip.forward.earthquakes.stations import Stations
from vip.forward.earthquakes.velocity import Interpolation, Layered
from vip.protocols import Floats

AGAIN = 2
"""Fits of travel times after the first, each with standard deviations that were learned from the one before."""
DIFFERENCE = 1e-4
"""Step of an entry of a code over which speeds are compared."""


class LearnedTimes(NamedTuple):
    """Tables of what was learned, as an association may be given them."""

    speed: pd.DataFrame | None = None
    stations: pd.DataFrame | None = None


def unknown(
    inputs: Inputs, speed_sigma: float | None, correction_sigma: float | None, between: Interpolation
) -> Unknown | None:
    """What is not known of travel times; nothing if neither standard deviation is given.

    Raises
    ------
    ConfigError
        If a standard deviation is not positive, or speeds in three dimensions are said to be unknown.
    """
    if speed_sigma is None and correction_sigma is None:
        return None
    if speed_sigma is not None and not 0 < speed_sigma < 1:
        raise ConfigError("speed_sigma", speed_sigma, "must be a share of the speed, between 0 and 1")
    if correction_sigma is not None and not 0 < correction_sigma < np.inf:
        raise ConfigError("correction_sigma", correction_sigma, "must be a positive number of seconds")
    times = TimesOfCode(_family(inputs, speed_sigma, between), inputs.solver._replace(cache=None), inputs.network.projection)
    return Unknown(times, correction_sigma or 0.0)


def _family(inputs: Inputs, sigma: float | None, between: Interpolation) -> Family:
    if sigma is None:
        return Fixed(inputs.velocity)
    if not isinstance(inputs.velocity, Layered):
        raise ConfigError("speed_sigma", sigma, "needs velocities in layers; leave it out for those in three dimensions")
    return layers(inputs.velocity, sigma, between)


def with_learned_times(
    inputs: Inputs, rules: Rules, spacing: float, what: Unknown, detection: float | None, threads: int
) -> tuple[Inputs, LearnedTimes]:
    """The inputs with travel times that fit the picks in the middle of the record, and the tables of these.

    Errors of times and of picks are told apart in turn: what is left after one fit is the standard deviation in the next. None
    is learned before the first, since it would take in errors of times, and with them wrong picks.
    """
    given, sample = inputs.channels, middle(inputs.arrivals.time)

    def fitted(learned: Learned, start: Speed | None) -> Speed:
        picks, known = with_sigma(inputs.arrivals, given, learned.sigma), rules._replace(detection=learned.detection)
        return learn_speed(picks.of(sample), given, known, spacing, what, threads, start)

    before = Learned(dict(FIRST), DETECTION if detection is None else detection)
    found = fitted(before, None)
    for _ in range(AGAIN):
        learned, _ = learn(inputs.arrivals, found.channels, grid(found.channels, rules, spacing), rules, detection, threads)
        if learned == before:
            break
        found, before = fitted(learned, found), learned
    return inputs._replace(channels=found.channels), tables(inputs, what, found)


def tables(inputs: Inputs, what: Unknown, found: Speed) -> LearnedTimes:
    """Speeds, and stations with their corrections, with standard deviations."""
    sigma = np.sqrt(np.diag(found.covariance)[len(found.code) :])
    return LearnedTimes(
        speed_table(what.times.family, found) if len(found.code) else None,
        station_table(inputs.network.stations, found.channels, sigma) if len(found.correction) else None,
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
