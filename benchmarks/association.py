"""Associators side by side: python benchmarks/association.py [--catalogues 12] [--rows TEXT] [--limit 120].

Windows whose arrivals cross (Shi et al. 2024), synthetic hours, and real picks where VIP_DATA_DIR has them. `vip.associate` has
its defaults in all hours, and learns what it does not know; PyOcto and GaMMA, where they are installed, have theirs. Times are
CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from peers.associators import Area, around, installed, within

import vip
from vip.forward.association.trials.crossing import Crossing, ceiling, crossing, found, gradient, uniform
from vip.forward.association.trials.measures import accuracy, event_scores, pick_scores
from vip.forward.association.trials.synthetic import write_example

WINDOWS: dict[str, Callable[[np.random.Generator], Crossing]] = {
    "8 events, 7 km/s": lambda rng: crossing(rng, uniform()),
    "8 events, 5 to 25 km/s": lambda rng: crossing(rng, gradient()),
    "16 events, 5 to 25 km/s": lambda rng: crossing(rng, gradient(), events=16),
    "16 events in half the time, 5 to 25 km/s": lambda rng: crossing(rng, gradient(), events=16, length=2.0),
    "8 events, 7 km/s, 0.1 s of noise": lambda rng: crossing(rng, uniform(), sigma=0.1),
    "8 events, 5 to 25 km/s, 0.1 s of noise": lambda rng: crossing(rng, gradient(), sigma=0.1),
    "8 events, 7 km/s, 30 % missing, 30 % false": lambda rng: crossing(rng, uniform(), missing=0.3, false=0.3),
}
HOURS = {
    "100 events an hour, 10 % false": {"events": 100, "false": 0.1},
    "500 events an hour, 10 % false": {"events": 500, "false": 0.1},
    "500 events an hour, 30 % false": {"events": 500, "false": 0.3},
    "300 events an hour, seen to 40 km, 30 % false": {"events": 300, "false": 0.3, "reach": 40.0},
}
STATIONS = 30
DEPTH = (0.0, 20.0)


class Hour(NamedTuple):
    """Picks with the true event of each, stations and layers."""

    picks: pd.DataFrame
    stations: pd.DataFrame
    layers: pd.DataFrame


class Found(NamedTuple):
    """Our answer."""

    event: np.ndarray
    """Event of each pick, or -1."""
    probability: np.ndarray
    """Probability of each pick to be of this event; of none where it has none."""


def window_row(name: str, catalogues: int) -> str:
    right, best, seconds = [], [], []
    for seed in range(catalogues):
        window = WINDOWS[name](np.random.default_rng(seed))
        begin = time.process_time()
        event = found(window)
        seconds.append(time.process_time() - begin)
        right.append(accuracy(event, window.event))
        best.append(ceiling(window))
    said = f"ACC {np.mean(right):6.1%}, worst {min(right):6.1%}, ceiling {np.mean(best):6.1%}"
    return f"{name:44s} {said}; {np.mean(seconds):5.2f} s, longest {max(seconds):5.2f} s"


def hour(folder: Path, seed: int, **scenario: float) -> Hour:
    write_example(folder, seed, stations=STATIONS, **scenario)
    picks, truth, stations, layers = (
        pd.read_csv(folder / f"{name}.csv") for name in ("picks", "truth_assignments", "stations", "velocity")
    )
    picks["time"] = pd.to_datetime(picks["time"], format="ISO8601")
    return Hour(picks.assign(event=pd.factorize(truth["event"], use_na_sentinel=True)[0]), stations, layers)


def ours(picks: pd.DataFrame, stations: pd.DataFrame, layers: pd.DataFrame, area: Area) -> Found:
    """`vip.associate`, for which all but the region is to be learned."""
    region = {"latitude": area.latitude, "longitude": area.longitude}
    result = vip.associate(picks, stations, layers, region=region, depth=area.depth, threads=1)
    event = pd.factorize(result.assignments["event"].replace("", None), use_na_sentinel=True)[0]
    return Found(event, result.assignments["probability"].to_numpy())


def answers(hour: Hour, area: Area, scores: Callable[[np.ndarray], str], limit: float) -> Iterator[str]:
    """What each program finds, and how long it takes beside ours."""
    own, picks = None, hour.picks[["station", "phase", "time"]]
    for program, associator in {"vip": ours, **installed()}.items():
        answer = within(limit, associator, picks, hour.stations, hour.layers, area)
        if answer is None:
            yield f"    {program:8s} no answer within {limit:.0f} s"
            continue
        event = answer.result.event if program == "vip" else answer.result
        own = own or answer.seconds
        yield f"    {program:8s} {scores(event)}; {answer.seconds:6.1f} s, {answer.seconds / own:5.2f} of ours"


def hour_rows(name: str, seed: int, limit: float) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        picks, stations, layers = hour(Path(folder), seed, **HOURS[name])
    yield f"{name}: {len(picks)} picks"
    truth = picks["event"].to_numpy()

    def scores(event: np.ndarray) -> str:
        return f"event F1 {event_scores(event, truth).f1:.3f}, pick F1 {pick_scores(event, truth).f1:.3f}"

    yield from answers(Hour(picks, stations, layers), around(stations, DEPTH), scores, limit)


def swarm_rows(limit: float) -> Iterator[str]:
    """Two hours of the Westmorland swarm: events of the network's catalogue that have one of ours within 3 s."""
    folder = Path(os.environ.get("VIP_DATA_DIR", "")) / "association" / "westmorland_2020"
    if not folder.is_dir():
        yield f"Westmorland swarm: skipped, there is no {folder}"
        return
    end = pd.Timestamp("2020-10-01T02:00", tz="UTC")
    picks, known = pd.read_csv(folder / "picks.csv.gz"), pd.read_csv(folder / "events_scsn.csv", sep="\t")
    picks["time"], known["time"] = (pd.to_datetime(t["time"], format="ISO8601", utc=True) for t in (picks, known))
    picks, known = picks[picks["time"] < end].reset_index(drop=True), known[known["time"] < end]
    stations = pd.read_csv(folder / "stations.csv").rename(columns={"elevation": "elevation_m"})
    layers = pd.DataFrame({"depth": [0.0, 40.0], "vp": [6.0, 6.0], "vs": [6 / 1.75, 6 / 1.75]})
    yield f"Westmorland swarm, 2 h, 6 km/s everywhere: {len(picks)} picks, {len(known)} events of the network"

    def scores(event: np.ndarray) -> str:
        first = picks.assign(event=event)[event >= 0].groupby("event")["time"].min().sort_values()
        return f"{len(first)} events, recall {_recall(first, known['time']):.3f}"

    yield from answers(Hour(picks, stations, layers), around(stations, DEPTH), scores, limit)


def _recall(first: pd.Series, known: pd.Series) -> float:
    """Share of known origin times with a first pick of an event up to 6 s after it, one to one."""
    left, hits = sorted(first), 0
    for origin in sorted(known):
        near = [t for t in left if pd.Timedelta(0) <= t - origin + pd.Timedelta("1s") <= pd.Timedelta("7s")]
        if near:
            left.remove(near[0])
            hits += 1
    return hits / len(known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogues", type=int, default=12, help="windows for each row")
    parser.add_argument("--seed", type=int, default=0, help="of the hours")
    parser.add_argument("--rows", default="", help="only rows whose name has this text")
    parser.add_argument("--limit", type=float, default=120.0, help="longest time of a program, s")
    asked = parser.parse_args()
    for name in WINDOWS:
        if asked.rows in name:
            print(window_row(name, asked.catalogues), flush=True)
    for name in HOURS:
        if asked.rows in name:
            for line in hour_rows(name, asked.seed, asked.limit):
                print(line, flush=True)
    if asked.rows in "Westmorland":
        for line in swarm_rows(asked.limit):
            print(line, flush=True)


if __name__ == "__main__":
    main()
