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
from forward.hypocenter.synthetic import write_example
from vip.config import load_config
from vip.inversion import run_in_memory
from vip.problem import build_problem

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


def catalogue(folder: Path, n: int, n_picks: int = 30) -> vip.Problem:
    """The example's events again and again, each with n_picks of its picks."""
    stations, picks = (pd.read_csv(folder / f"{name}.csv", dtype=str) for name in ("stations", "picks"))
    rng = np.random.default_rng(0)
    events = [group for _, group in picks.groupby("event")]
    chosen = [events[i % len(events)].sample(n_picks, random_state=rng).assign(event=f"ev{i:06d}") for i in range(n)]
    return problem_with(folder, pd.concat(chosen), stations)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    options = parser.parse_args()
    print(f"{'picks':>6} {'pairs':>9} {'here, s':>9} {'HypoSVI, s':>11} {'ratio':>7}")
    for n, theirs in HYPOSVI.items():
        with tempfile.TemporaryDirectory() as folder:
            write_example(Path(folder), seed=1)
            ours = seconds(one_event(Path(folder), n))
        print(f"{n:>6} {n * (n - 1) // 2:>9} {ours:>9.2f} {theirs:>11} {theirs / ours:>7.0f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write_example(Path(folder), seed=1)
        spent = seconds(catalogue(Path(folder), options.events))
    print(f"{options.events} events of 30 picks: {spent:.1f} s, {10_000 * spent / options.events / 60:.1f} min for 10,000")


if __name__ == "__main__":
    main()
