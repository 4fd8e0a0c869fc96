"""Milliseconds of CPU to solve one source on n^3 nodes, and its error, beside other codes where they are installed.

    python benchmarks/eikonal3d.py [--nodes 100] [--repeats 5]

Peers: scikit-fmm, eikonalfm, fteikpy, pykonal. All run on one thread. The error is RMS over all nodes where rays have a
closed form: velocity constant, and growing with depth.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import time
from functools import partial
from pathlib import Path

import numpy as np

from vip.kernels_c.eikonal3d import simd_level, solve

STEP = 1.0  # km
START_RADIUS = 2.0
"""Radius of the sphere around the source from which scikit-fmm starts, km."""
GROWTH = (50, 75, 100, 150, 200)
"""Nodes along an axis."""


def source_of(n):
    """On a node, as eikonalfm needs."""
    return tuple(n // 3 + d for d in (0, n // 12, n // 4))


def distance(n):
    nodes = np.meshgrid(*[np.arange(n) * STEP] * 3, indexing="ij")
    return np.sqrt(sum((x - s * STEP) ** 2 for x, s in zip(nodes, source_of(n), strict=True)))


def models(n, rng):
    """Velocity and times, None where there is no closed form."""
    depth = np.arange(n)[:, None, None] * np.ones((n, n, n))
    r, rise = distance(n), 4.0 / ((n - 1) * STEP)
    gradient = 2.0 + rise * depth * STEP
    times = np.arccosh(1 + (rise * r) ** 2 / (2 * gradient * gradient[source_of(n)])) / rise
    layers = np.select([depth < 0.1 * n, depth < 0.25 * n, depth < 0.35 * n, depth < 0.6 * n], [2.0, 3.5, 2.5, 5.0], 7.0)
    return {
        "constant": (np.full((n, n, n), 5.0), r / 5),
        "gradient": (gradient, times),
        "layers": (layers, None),
        "rough": (rng.uniform(2, 6, (n, n, n)), None),
    }


def by_kernel(velocity, source):
    return solve(velocity, np.multiply(source, STEP), (STEP,) * 3)


def by_skfmm(order):
    import skfmm

    def task(velocity, source):
        sphere = distance(len(velocity)) - START_RADIUS * STEP
        times = np.sign(sphere) * skfmm.travel_time(sphere, velocity, dx=STEP, order=order)
        return times + START_RADIUS * STEP / velocity[source]

    return task


def by_eikonalfm(order, factored):
    import eikonalfm

    def task(velocity, source):
        if not factored:
            return eikonalfm.fast_marching(velocity, source, (STEP,) * 3, order)
        return eikonalfm.factored_fast_marching(velocity, source, (STEP,) * 3, order) * distance(len(velocity))

    return task


def by_fteikpy(sweeps):
    from fteikpy import Eikonal3D

    def task(velocity, source):
        """Its velocity is that of cells: a row less than the nodes."""
        cells = sum(velocity[i : i - 1 or None, j : j - 1 or None, k : k - 1 or None] for i, j, k in np.ndindex(2, 2, 2)) / 8
        return np.array(Eikonal3D(cells, (STEP,) * 3).solve(tuple(s * STEP for s in source), nsweep=sweeps).grid)

    return task


def by_pykonal():
    import pykonal

    def task(velocity, source):
        solver = pykonal.EikonalSolver(coord_sys="cartesian")
        solver.velocity.min_coords, solver.velocity.node_intervals = (0, 0, 0), (STEP,) * 3
        solver.velocity.npts, solver.velocity.values = velocity.shape, velocity
        solver.traveltime.values[source], solver.unknown[source] = 0, False
        solver.trial.push(*source)
        solver.solve()
        return np.asarray(solver.traveltime.values)

    return task


def codes():
    """Each code's name and its way to solve."""
    found = {"this kernel": by_kernel}
    peers = {
        "skfmm": {f"scikit-fmm, order {o}": (by_skfmm, (o,)) for o in (1, 2)},
        "eikonalfm": {
            "eikonalfm, order 1": (by_eikonalfm, (1, False)),
            "eikonalfm, factored, order 1": (by_eikonalfm, (1, True)),
            "eikonalfm, factored, order 2": (by_eikonalfm, (2, True)),
        },
        "fteikpy": {"fteikpy, 2 sweeps": (by_fteikpy, (2,))},
        "pykonal": {"pykonal": (by_pykonal, ())},
    }
    for package, ways in peers.items():
        if importlib.util.find_spec(package):
            found |= {name: way(*arguments) for name, (way, arguments) in ways.items()}
    return found


def best_milliseconds(tasks, repeats):
    """Least CPU time of each task, and its result.

    Repeats are interleaved so that a slow spell of the machine meets all. Each is two runs in a row: the first finds memory
    as other codes left it, the second as in a survey of many sources.
    """
    least, result = dict.fromkeys(tasks, np.inf), {}
    for _ in range(repeats):
        for name, task in tasks.items():
            for _ in range(2):
                start = time.process_time()
                result[name] = task()
                least[name] = min(least[name], 1e3 * (time.process_time() - start))
    return least, result


def rms_error(times, exact):
    relative = np.delete(times.ravel() / np.where(exact > 0, exact, 1).ravel() - 1, np.argmin(exact))
    return 100 * np.sqrt(np.mean(relative**2))


def print_peers(n, repeats, rng):
    for model, (velocity, exact) in models(n, rng).items():
        tasks = {name: partial(task, velocity, source_of(n)) for name, task in codes().items()}
        least, result = best_milliseconds(tasks, repeats)
        print(f"{model} velocity")
        for name, ms in least.items():
            error = f"   RMS error {rms_error(result[name], exact):.1e} %" if exact is not None else ""
            print(f"    {name + ':':30} {ms:7.0f} ms   {ms / least['this kernel']:5.1f} x{error}")


def print_growth(repeats, rng):
    print("\nnanoseconds a node: " + "".join(f"{n:>9}^3" for n in GROWTH))
    velocity = {n: models(n, rng) for n in GROWTH}
    for model in ("gradient", "layers", "rough"):
        tasks = {n: partial(by_kernel, velocity[n][model][0], source_of(n)) for n in GROWTH}
        least, _ = best_milliseconds(tasks, repeats)
        print(f"    {model:16}" + "".join(f"{1e6 * least[n] / n**3:11.0f}" for n in GROWTH))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100, help="along an axis")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    os.environ["NUMBA_NUM_THREADS"] = "1"  # fteikpy, not yet imported
    rng = np.random.default_rng(1)
    cpu = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    print(f"{cpu[0] if cpu else platform.processor()}, {simd_level()}; {options.nodes}^3 nodes, one thread\n")
    print_peers(options.nodes, options.repeats, rng)
    print_growth(options.repeats, rng)


if __name__ == "__main__":
    main()
