"""Networks of travel times on the layers of the synthetic catalogue, 450 x 400 x 31 km, against the eikonal solver.

    python benchmarks/eikonet.py [--steps 3000] [--pairs 100000]

Prints the seconds of training of each phase, the errors of times in ranges of distance, and the microseconds of a pair: time
and gradient of the network, and of tables. Distances are even in their logarithm for half of the pairs, and even for the rest;
the solver's nodes are 0.25 km apart. Beyond 150 km first arrivals come from below the Moho at 32 km, below the region.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np

from vip.forward.earthquakes.traveltimes.eikonet.times import NetworkTimes, medium_of
from vip.forward.earthquakes.traveltimes.eikonet.training import STEPS, train
from vip.forward.earthquakes.traveltimes.tables import Box, Solver
from vip.forward.earthquakes.velocity import Layered
from vip.forward.hypocenter.synthetic import LAYERS

STEP = 0.25
"""Spacing of the solver's nodes, km."""
DEPTHS = np.array([-1.0, 0.0, 1.0, 2.5, 5.0, 8.0, 11.0, 18.0, 25.0])
"""Depths of stations, km."""
RANGES = [1, 3, 10, 30, 100, 300, 600]
"""Limits of distance, km; pairs closer than the first are left out."""


def layers():
    """Velocity layers of the example."""
    velocity = {"P": LAYERS["vp"].to_numpy(), "S": LAYERS["vs"].to_numpy()}
    return Layered(LAYERS["depth"].to_numpy(), velocity, {phase: np.zeros(len(LAYERS)) for phase in velocity})


def pairs(box, n, rng):
    """Hypocentres (n, 1, 3), and the station of each."""
    reach = np.linalg.norm(box.upper[:2] - box.lower[:2])
    across = np.where(np.arange(n) < n // 2, reach ** rng.uniform(0, 1, n), reach * rng.uniform(0, 1, n))
    azimuth = np.arctan2(*(box.upper - box.lower)[1::-1])
    x = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), rng.uniform(box.lower[2], box.upper[2], n)], axis=1)
    return x[:, None], rng.integers(len(DEPTHS), size=n)


def by_station(times, x, station):
    """Times (n,), and microseconds of a pair."""
    found = np.empty(len(x))
    start = time.process_time()
    for i in range(len(DEPTHS)):
        of_station = np.flatnonzero(station == i)
        found[of_station] = times.evaluate(x[of_station], [0], [i])[0][:, 0]
    return found, 1e6 * (time.process_time() - start) / len(x)


def print_phase(phase, box, options):
    model, stations, rng = layers(), DEPTHS[:, None] * [0, 0, 1], np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        solver = Solver(box, STEP, Path(folder))
        exact, fast = (s.layered(model, [phase] * len(DEPTHS), stations) for s in (solver, solver._replace(spacing=1.0)))
    medium = medium_of(solver._replace(spacing=1.0), model, phase, stations, None)
    start, used = time.perf_counter(), time.process_time()
    network = train(medium, phase, steps=options.steps)
    print(f"{phase}: trained in {time.perf_counter() - start:.0f} s, {time.process_time() - used:.0f} s of CPU")
    x, station = pairs(box, options.pairs, rng)
    distance = np.linalg.norm(x[:, 0] - stations[station], axis=1)
    truth, _ = by_station(exact, x, station)
    trained = NetworkTimes({phase: network}, np.array([phase] * len(DEPTHS)), stations)
    print(f"    {'RMS error, %, at km':22}{'all':>7}" + "".join(f"{f'{a}-{b}':>9}" for a, b in itertools.pairwise(RANGES)))
    for name, times in {"network": trained, "tables of 1 km": fast}.items():
        found, microseconds = by_station(times, x, station)
        error = 100 * (found / truth - 1)
        within = [(distance >= a) & (distance < b) for a, b in itertools.pairwise(RANGES)]
        rms = [np.sqrt(np.mean(error[chosen] ** 2)) for chosen in (distance >= RANGES[0], *within)]
        worst = np.abs(error[distance >= RANGES[0]]).max()
        columns = f"{rms[0]:7.3f}" + "".join(f"{value:9.3f}" for value in rms[1:])
        print(f"    {name:22}{columns}   largest {worst:.1f} %, {microseconds:.2f} us a pair")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--pairs", type=int, default=100_000)
    options = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("torch is not installed: pip install 'vip-inversion[neural]'")
    box = Box(np.array([0.0, 0.0, -1.0]), np.array([450.0, 400.0, 30.0]))
    for phase in "PS":
        print_phase(phase, box, options)


if __name__ == "__main__":
    main()
