"""Locating events of many picks, and catalogues of many events: python benchmarks/hypocenter.py [--events 10000].

The scaling test of HypoSVI (Smith et al. 2022, table 3) beside ours: stations are repeated under other names until an event has
as many picks; 150 particles, 175 iterations, everything but reading files included. Theirs are on a V100.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import vip
from vip.config import DispatchSettings, load_config
from vip.dispatch.serial import available_cores
from vip.forward.hypocenter.synthetic import LATITUDES, LONGITUDES, write_example
from vip.runs.build import build_problem
from vip.runs.inversion import run_in_memory

HYPOSVI = {32: 6, 128: 17, 512: 64, 1024: 155, 1408: 247, 1728: 336, 2028: 439}
"""Seconds by number of picks."""
ITERATIONS = 175


def problem_with(folder: Path, picks: pd.DataFrame, stations: pd.DataFrame) -> vip.Problem:
    picks.to_csv(folder / "picks.csv", index=False)
    stations.to_csv(folder / "stations.csv", index=False)
    config = load_config(folder / "hypocenter.toml")
    settings = config.algorithm.model_copy(update={"iterations": ITERATIONS})
    return build_problem(config.model_copy(update={"algorithm": settings}), folder / "hypocenter.toml")


def seconds(problem: vip.Problem) -> float:
    begin = time.perf_counter()
    run_in_memory(problem)
    return time.perf_counter() - begin


def one_event(folder: Path, n: int) -> vip.Problem:
    """The first event of the example, its stations repeated until it has n picks."""
    stations, picks = (pd.read_csv(folder / f"{name}.csv", dtype=str) for name in ("stations", "picks"))
    first = picks[picks["event"] == "ev001"]
    copies = -(-n // len(first))
    repeated = pd.concat([first.assign(station=first["station"] + f"c{i}") for i in range(copies)]).head(n)
    everywhere = pd.concat([stations.assign(station=stations["station"] + f"c{i}") for i in range(copies)])
    return problem_with(folder, repeated, everywhere)


def catalogue(folder: Path, n: int, n_picks: int = 30) -> Path:
    """The configuration of n events anywhere below the network, each with n_picks picks."""
    rng = np.random.default_rng(0)
    low, high = [LATITUDES[0], LONGITUDES[0], 0.0], [LATITUDES[-1], LONGITUDES[-1], 30.0]
    config = write_example(folder, 1, rng.uniform(low, high, (n, 3)))
    picks = pd.read_csv(folder / "picks.csv", dtype=str)
    picks.groupby("event", sort=False).sample(n_picks, random_state=rng).to_csv(folder / "picks.csv", index=False)
    return config


def locate(config: Path, kind: str) -> None:
    """Print how long each part takes, from files to a file."""
    begin = time.perf_counter()
    problem = vip.load_problem(config)
    read = time.perf_counter()
    result = vip.run(problem, config.parent / "run", dispatch=DispatchSettings(kind=kind))
    located = time.perf_counter()
    problem.forward.export(result.flat.astype(float), "csv", config.parent / "catalogue.csv")
    end = time.perf_counter()
    n, parts = len(problem.forward.picks.events), np.diff([begin, read, located, end])
    print(f"{n} events of 30 picks, {kind}, {available_cores()} cores: reading, locating, writing {parts.round(1)} s")
    print(f"{10_000 / n * parts.sum() / 60:.1f} min for 10,000")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--dispatch", default="serial", help="of the catalogue: serial (all cores) or local")
    parser.add_argument("--only-catalogue", action="store_true")
    options = parser.parse_args()
    if not options.only_catalogue:
        scaling()
    with tempfile.TemporaryDirectory() as folder:
        locate(catalogue(Path(folder), options.events), options.dispatch)


def scaling() -> None:
    """Print the table of HypoSVI's test beside ours."""
    located_with(min(HYPOSVI))  # what is imported at first use
    print(f"{'picks':>6} {'pairs':>9} {'here, s':>9} {'HypoSVI, s':>11} {'ratio':>7}")
    for n, theirs in HYPOSVI.items():
        ours = located_with(n)
        print(f"{n:>6} {n * (n - 1) // 2:>9} {ours:>9.2f} {theirs:>11} {theirs / ours:>7.0f}", flush=True)


def located_with(n: int) -> float:
    """Seconds that an event of n picks takes."""
    with tempfile.TemporaryDirectory() as folder:
        write_example(Path(folder), seed=1)
        return seconds(one_event(Path(folder), n))


if __name__ == "__main__":
    main()
