"""Scenarios of an associator's life: python benchmarks/association_scenarios.py [--rows TEXT] [--seeds 0] [--limit 120].

After "Benchmarking seismic phase associators" (Seismica 4(2), 2025): crustal and subduction, low and high noise, events outside
the network, very high rates, dense and sparse networks. How far events are seen, the errors of high noise, and the settings of
PyOcto are those of its author's own benchmark; numbers that neither gives are chosen here. `vip.associate` has one set of
defaults for all, and learns what it does not know.
An event is right if it shares 60 % of its picks with a true one. Times are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from association import Found, Hour, ours
from peers.associators import Area, installed, pyocto, tables_at_sea_level, within
from scipy.special import expit

from vip.forward.association.trials.measures import Scores, event_scores, names, pick_scores
from vip.forward.association.trials.synthetic import LAYERS as CRUST
from vip.forward.earthquakes.frames import stations_from
from vip.forward.earthquakes.network import network_of

VP = [5.6, 6.2, 6.7, 7.2, 7.9, 8.05, 8.2, 8.4]
SLAB = pd.DataFrame({"depth": [-1.0, 10.0, 20.0, 40.0, 60.0, 100.0, 150.0, 220.0], "vp": VP, "vs": np.array(VP) / 1.75})
STEP = 0.5
"""Spacing of the nodes of the true travel times, km."""
LEAST_MAGNITUDE = -0.5
NEAREST, A_MAGNITUDE = 80.0, 120.0
"""Distance, km, to which half of the waves of an event of magnitude 0 are seen, and how much farther those of one of 1 are."""
SEEN = 0.8
"""Share of the waves that are picked near to the event."""
BOTH = 0.5
"""Correlation of P and S of an event at a station, each of which may be picked or not."""
LEAST, LEAST_BOTH = 10, 4
"""Least number of an event's picks, and of stations that have both P and S; what is smaller is no event of the truth."""
START = np.datetime64("2026-01-01T00:00:00", "us")
MARGIN = 0.25
"""Distance, degrees, from the epicentres to the borders that users give."""
PYOCTO = {
    "PyOcto": {"n_picks": LEAST, "n_p_picks": 2, "n_s_picks": 2, "n_p_and_s_picks": LEAST_BOTH},
    "PyOcto-": {"n_picks": 8, "n_p_picks": 3, "n_s_picks": 3, "n_p_and_s_picks": 3},
}
"""Thresholds of its author's benchmark, and lower ones, as its guide advises where few events are found."""
EDGES = [0.0, 0.5, 0.7, 0.8, 0.88, 0.92, 0.96, 0.99, 0.999, 1.0]
"""Bounds of probabilities in the table of calibration."""


class Setting(NamedTuple):
    """Part of the Earth."""

    latitude: tuple[float, float]
    longitude: tuple[float, float]
    depth: tuple[float, float]
    layers: pd.DataFrame
    dips: bool
    """Whether events are in a slab that goes down from west to east, but for a fifth, which are in the crust."""
    cutoff: float
    """Distance, km, of stations from which PyOcto begins an event."""


CRUSTAL = Setting((32.25, 33.75), (-116.9, -115.1), (0.0, 30.0), CRUST, False, 100.0)
SUBDUCTION = Setting((-23.0, -18.5), (-71.0, -68.0), (0.0, 200.0), SLAB, True, 250.0)


class Scenario(NamedTuple):
    """What a record has."""

    setting: Setting
    stations: int
    events: int = 60
    length: float = 1800.0
    """Length of the record, s."""
    noise: tuple[float, float] = (0.1, 0.005)
    """Standard deviation of picks: the larger of seconds and a share of the travel time."""
    false: float = 0.1
    """Share of the picks that are of no event."""
    beyond: float = 0.0
    """Distance to all sides at which epicentres are beyond the stations, over the extent of these."""


HIGH = (0.4, 0.01)
SCENARIOS = {
    "crustal": Scenario(CRUSTAL, 40),
    "crustal, high noise": Scenario(CRUSTAL, 40, noise=HIGH, false=0.5),
    "crustal, high noise, 70 % false": Scenario(CRUSTAL, 40, noise=HIGH, false=0.7),
    "crustal, out of network": Scenario(CRUSTAL, 40, beyond=0.5, false=0.3),
    "crustal, out of network, high noise": Scenario(CRUSTAL, 40, beyond=0.5, noise=HIGH, false=0.5),
    "crustal, 1000 events an hour": Scenario(CRUSTAL, 40, events=250, length=900.0, false=0.3),
    "crustal, 400 events an hour, high noise": Scenario(CRUSTAL, 40, events=100, length=900.0, noise=HIGH, false=0.3),
    "crustal, 100 stations": Scenario(CRUSTAL, 100, noise=HIGH, false=0.3),
    "crustal, 12 stations": Scenario(CRUSTAL, 12, noise=HIGH, false=0.3),
    "subduction": Scenario(SUBDUCTION, 30),
    "subduction, high noise": Scenario(SUBDUCTION, 30, noise=HIGH, false=0.5),
    "subduction, high noise, 70 % false": Scenario(SUBDUCTION, 30, noise=HIGH, false=0.7),
    "subduction, out of network": Scenario(SUBDUCTION, 30, beyond=0.25, false=0.3),
    "subduction, 400 events an hour": Scenario(SUBDUCTION, 30, events=100, length=900.0, false=0.3),
    "subduction, 200 events an hour, high noise": Scenario(SUBDUCTION, 30, events=50, length=900.0, noise=HIGH, false=0.3),
    "subduction, 80 stations": Scenario(SUBDUCTION, 80, noise=HIGH, false=0.3),
    "subduction, 12 stations": Scenario(SUBDUCTION, 12, noise=HIGH, false=0.3),
}


class Record(NamedTuple):
    """Picks with the true event of each or -1, stations, layers, and where a user would seek events."""

    hour: Hour
    area: Area


def record(scenario: Scenario, seed: int) -> Record:
    """A synthetic record."""
    rng, setting = np.random.default_rng(seed), scenario.setting
    latitude, longitude = (rng.uniform(*ends, scenario.stations) for ends in (setting.latitude, setting.longitude))
    identifiers = [f"XX.S{i + 1:03d}" for i in range(scenario.stations)]
    stations = pd.DataFrame({"station": identifiers, "latitude": latitude, "longitude": longitude, "elevation_m": 0.0})
    north, east = (_wider(ends, scenario.beyond) for ends in (setting.latitude, setting.longitude))
    picks = _true_picks(rng, scenario, stations, north, east)
    n_false = rng.poisson(len(picks) * scenario.false / (1 - scenario.false))
    chance = pd.DataFrame(
        {
            "station": rng.integers(0, scenario.stations, n_false),
            "phase": rng.choice(["P", "S"], n_false),
            "seconds": rng.uniform(0, scenario.length, n_false),
            "event": -1,
        }
    )
    table = pd.concat([picks, chance]).sort_values("seconds", kind="stable").reset_index(drop=True)
    time = START + np.rint(1e6 * table["seconds"].to_numpy()).astype("timedelta64[us]")
    table = table.assign(station=np.array(identifiers)[table["station"]], time=pd.Series(time).dt.tz_localize("UTC"))
    area = Area((north[0] - MARGIN, north[1] + MARGIN), (east[0] - MARGIN, east[1] + MARGIN), setting.depth)
    return Record(Hour(table, stations, setting.layers), area)


def _wider(ends: tuple[float, float], beyond: float) -> tuple[float, float]:
    margin = beyond * (ends[1] - ends[0])
    return ends[0] - margin, ends[1] + margin


def _true_picks(
    rng: np.random.Generator,
    scenario: Scenario,
    stations: pd.DataFrame,
    north: tuple[float, float],
    east: tuple[float, float],
) -> pd.DataFrame:
    """Station (its number), phase, seconds and event of each pick: events are drawn until enough are seen well enough."""
    network = network_of(stations_from(stations), None)
    furthest = Area(north, east, scenario.setting.depth).diagonal + 10
    tables = tables_at_sea_level(scenario.setting.layers, furthest, scenario.setting.depth[1], STEP)
    parts, n = [], 0
    while n < scenario.events:
        latitude, u = rng.uniform(*north), rng.uniform()
        x, y = network.projection.to_local(np.array([latitude]), np.array([east[0] + u * (east[1] - east[0])]))
        distance, depth = np.hypot(x - network.place[:, 0], y - network.place[:, 1]), _depth(rng, scenario.setting, u)
        seen = _seen(rng, np.hypot(distance, depth))
        if seen.sum() < LEAST or seen.all(axis=1).sum() < LEAST_BOTH:
            continue
        at = np.stack([distance, 0 * distance, np.full(len(distance), depth)], axis=1)
        travel, _ = tables.evaluate(at[:, None], np.zeros(2, int), np.arange(2))
        station, phase = np.nonzero(seen)
        times = travel[station, phase]
        error = np.maximum(scenario.noise[0], scenario.noise[1] * times) * rng.standard_normal(len(times))
        seconds = rng.uniform(0, scenario.length) + times + error
        parts.append(pd.DataFrame({"station": station, "phase": np.array(["P", "S"])[phase], "seconds": seconds, "event": n}))
        n += 1
    return pd.concat(parts)


def _depth(rng: np.random.Generator, setting: Setting, u: float) -> float:
    """Depth, km, of an event at a share of the way from west to east."""
    top, bottom = setting.depth
    if not setting.dips:
        return rng.uniform(top, bottom)
    depth = rng.uniform(0, 30) if rng.random() < 0.2 else 20 + 0.9 * (bottom - 20) * u + 10 * rng.standard_normal()
    return float(np.clip(depth, top, bottom))


def _seen(rng: np.random.Generator, distance: np.ndarray) -> np.ndarray:
    """Whether each station (n, 2) has a pick of P and one of S of an event at some distances (n,), km."""
    magnitude = LEAST_MAGNITUDE + rng.exponential(1 / np.log(10))  # ten times as many of each magnitude as of the next
    reach = NEAREST + A_MAGNITUDE * magnitude
    chance = SEEN * expit((reach - distance) / max(0.1 * reach, 30.0))
    p = rng.random(len(distance)) < chance
    s = rng.random(len(distance)) < chance + BOTH * np.where(p, 1 - chance, -chance)
    return np.stack([p, s], axis=1)


def said(scores: Scores) -> str:
    return f"{scores.precision:.3f} {scores.recall:.3f} {scores.f1:.3f}"


def rows(name: str, seed: int, limit: float) -> Iterator[tuple[str, Found | None]]:
    """A line for each program, and our answer."""
    scenario = SCENARIOS[name]
    (picks, stations, layers), area = record(scenario, seed)
    truth = picks["event"].to_numpy()
    yield f"{name}, seed {seed}: {len(picks)} picks, {(truth < 0).mean():.0%} false; {scenario.events} events", None
    guided = partial(pyocto, tolerance=1.5, cutoff=scenario.setting.cutoff)
    peers = {program: partial(guided, **least) for program, least in PYOCTO.items()} if "PyOcto" in installed() else {}
    f1 = {}
    for program, associator in {"vip": ours, **peers}.items():
        answer = within(limit, associator, picks[["station", "phase", "time"]], stations, layers, area)
        if answer is None:
            yield f"    {program:8s} no answer within {limit:.0f} s", None
            continue
        found = answer.result if program == "vip" else Found(answer.result, np.full(len(picks), np.nan))
        of_events, of_picks = event_scores(found.event, truth), pick_scores(found.event, truth)
        f1[program] = of_events.f1
        cost = f"{answer.seconds:6.1f} s, {answer.megabytes:4.0f} MB"
        line = f"    {program:8s} events {said(of_events)} ({of_events.found:3d}); picks {said(of_picks)}; {cost}"
        yield line, found if program == "vip" else None
    if "vip" in f1 and len(f1) > 1 and f1.pop("vip") < (goal := (1 + max(f1.values())) / 2):
        yield f"    goal     events {goal:.3f} in F1 is not reached", None


def calibration(found: Found, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of associations, and whether these are right."""
    right = np.append(names(found.event, truth), -2)[found.event] == truth
    own = found.event >= 0
    return found.probability[own], right[own]


def calibration_rows(probability: np.ndarray, right: np.ndarray) -> Iterator[str]:
    """How many of the associations that are about equally sure are right."""
    yield "Associations by probability: mean, share that is right, number"
    for low, high in pairwise(EDGES):
        own = (probability >= low) & ((probability < high) | (high == 1))
        if own.any():
            yield f"    {low:5.3f} to {high:5.3f}: {probability[own].mean():.4f} {right[own].mean():.4f} {own.sum():6d}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="only scenarios whose name has this text")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--limit", type=float, default=120.0, help="longest CPU time of a program, s")
    asked = parser.parse_args()
    sure = []
    for name in SCENARIOS:
        for seed in asked.seeds if asked.rows in name else []:
            truth = record(SCENARIOS[name], seed).hour.picks["event"].to_numpy()
            for line, found in rows(name, seed, asked.limit):
                print(line, flush=True)
                if found is not None:
                    sure.append(calibration(found, truth))
    if sure:
        for line in calibration_rows(*(np.concatenate(part) for part in zip(*sure, strict=True))):
            print(line)


if __name__ == "__main__":
    main()
