"""Milliseconds a particle for log-likelihood and gradient on the British Isles problem, beside scikit-fmm.

    python benchmarks/eikonal2d.py [--repeats 7] [--order 2]

With VIP_DATA_DIR the stations and pairs are those of Galetti et al. (2017), else as many at random. scikit-fmm computes
travel times only: no gradient, one source and one model a call, on one thread.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np
import skfmm

from vip.forward.tomo2d.sources import minimum_sources, orient
from vip.kernels_c.eikonal2d import Grid, Plan, simd_level, travel_times

BATCHES, THREADS = (20, 32), (1, 2)
PRIOR = 1.56, 4.8  # km/s
SPHERE = Grid((41, 38), (61.0, -9.0), (-0.325, 0.325), True, 2)
DEGREE = np.pi / 180 * 6371.0
KM_PER_DEGREE = np.array([DEGREE, DEGREE * np.cos(np.radians(54.5))])
PLANE = Grid(SPHERE.shape, (0.0, 0.0), tuple(0.325 * KM_PER_DEGREE), False, 2)
START_RADIUS = 2.0
"""Radius of the circle around a source from which scikit-fmm starts, in cells."""


def stations_and_pairs(rng):
    """Latitude and longitude (61, 2), and the station numbers of each measured pair (401, 2)."""
    folder = os.environ.get("VIP_DATA_DIR")
    if folder:
        stations = np.loadtxt(Path(folder) / "british_isles" / "sources.txt")
        measured = np.loadtxt(Path(folder) / "british_isles" / "ttimes.txt")[:, 0].reshape(len(stations), -1) > 0
        return stations, np.argwhere(measured), "measured"
    stations = np.array([61.0, -9.0]) + rng.uniform(0.1, 0.9, (61, 2)) * (np.array(SPHERE.shape) - 1) * SPHERE.spacing
    pairs = np.stack(np.triu_indices(61, 1), axis=1)
    return stations, rng.choice(pairs, 401, replace=False), "random"


def survey(stations, pairs):
    """The arguments of `Plan`: sources, receivers, source of each pair."""
    sources = minimum_sources(*pairs.T)
    source_of_pair, receiver = orient(*pairs.T, sources)
    return stations[sources], stations[receiver], source_of_pair


def refined(velocity):
    """Bilinear velocity on the refined grid of factor two."""
    v = np.empty(SPHERE.refined_shape)
    v[::2, ::2] = velocity.reshape(SPHERE.shape)
    v[1::2, ::2] = (v[:-2:2, ::2] + v[2::2, ::2]) / 2
    v[:, 1::2] = (v[:, :-2:2] + v[:, 2::2]) / 2
    return v


def skfmm_times(velocity, survey, circles, order):
    """Times (n_pairs,) on the plane for one model (nodes,)."""
    sources, receivers, source_of_pair = survey
    speed, step = refined(velocity), np.array(PLANE.spacing) / 2
    corner, weight = PLANE.cell(receivers)
    at_source, source_weight = PLANE.cell(sources)
    delay = [np.sign(c) * skfmm.travel_time(c, speed, dx=step, order=order) for c in circles]
    fields = np.array([np.pad(d, 1).ravel() for d in delay])
    first = START_RADIUS * step.max() * (source_weight / np.pad(speed, 1).ravel()[at_source]).sum(axis=1)
    times = (fields[source_of_pair[:, None], corner] * weight).sum(axis=1)
    return times + first[source_of_pair]


def signed_circles(sources):
    """Distance (km) of the plane's nodes from a circle around each source: the same for all models, hence not timed."""
    rows, columns = (axis[1:-1] for axis in PLANE.bordered_axes)
    nodes = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    return [PLANE.distance(nodes, source) - START_RADIUS * max(PLANE.spacing) / 2 for source in sources]


def best_milliseconds(tasks, repeats):
    """Shortest time of each task, the repeats interleaved so that a slow spell of the machine meets all."""
    seconds = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return {name: 1e3 * min(s) for name, s in seconds.items()}


def print_speed(on_sphere, on_plane, rng, repeats, order):
    """Times of both codes on white noise from the prior, where fronts are at their most tangled."""
    models = rng.uniform(*PRIOR, (max(BATCHES), np.prod(SPHERE.shape)))
    plan, circles = Plan(SPHERE, *on_sphere), signed_circles(on_plane[0])
    observed = travel_times(models[:1], plan)[0]
    weight = np.ones(plan.n_pairs)
    tasks = {
        (n, threads): lambda n=n, threads=threads: travel_times(models[:n], plan, observed, weight, threads)
        for n in BATCHES
        for threads in THREADS
    }
    tasks["skfmm"] = lambda: skfmm_times(models[0], on_plane, circles, order)
    took = best_milliseconds(tasks, repeats)
    reference = took.pop("skfmm")
    print(f"scikit-fmm, order {order}, times only:            {reference:8.2f} ms a particle")
    for (n, threads), ms in took.items():
        ratio = reference / (ms / n)
        print(f"times and gradient, batch {n}, {threads} thread(s): {ms / n:8.2f} ms a particle   {ratio:6.0f} x faster")


def print_accuracy(on_plane, order):
    """RMS and largest relative error against closed forms: v constant, and v = v0 + g y."""
    sources, receivers, source_of_pair = on_plane
    r, circles = PLANE.distance(sources[source_of_pair], receivers), signed_circles(sources)
    for name, gradient in (("constant velocity", 0.0), ("linear gradient", 1e-3)):
        v_ends = [2.5 + gradient * x[:, 0] for x in (sources[source_of_pair], receivers)]
        x = gradient * r
        exact = np.arccosh(1 + x**2 / (2 * v_ends[0] * v_ends[1])) / gradient if gradient else r / 2.5
        rows = 2.5 + gradient * PLANE.spacing[0] * np.arange(PLANE.shape[0])
        model = np.repeat(rows, PLANE.shape[1])
        ours = travel_times(model[None], Plan(PLANE, *on_plane))[0]
        for code, times in (("this kernel", ours), ("scikit-fmm", skfmm_times(model, on_plane, circles, order))):
            error = 100 * np.abs(times / exact - 1)
            print(f"{name}, {code + ':':13} RMS {np.sqrt(np.mean(error**2)):.1e} %, max {error.max():.1e} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--order", type=int, choices=(1, 2), default=2, help="of scikit-fmm's differences")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    stations, pairs, kind = stations_and_pairs(rng)
    on_sphere = survey(stations, pairs)
    on_plane = survey((stations - SPHERE.origin) * [-1, 1] * KM_PER_DEGREE, pairs)
    cpu = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    print(f"{cpu[0] if cpu else platform.processor()}, {simd_level()}; float32")
    print(f"{len(pairs)} {kind} pairs, {len(on_sphere[0])} sources, {SPHERE.refined_shape} nodes\n")
    print_speed(on_sphere, on_plane, rng, options.repeats, options.order)
    print()
    print_accuracy(on_plane, options.order)


if __name__ == "__main__":
    main()
