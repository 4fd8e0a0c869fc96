"""What sending particles to workers costs, beside the naive way, and how well workers of unequal particles are kept busy.

``mpirun -n 2 python benchmarks/dispatch.py`` measures MPI alone; without mpirun the script starts that itself.
"""

import functools
import subprocess
import sys
import time

import dask
import numpy as np
from distributed import Client, LocalCluster

from vip.dispatch import certificates, clusters, mpi
from vip.dispatch.dask import DaskWorkers
from vip.dispatch.serial import Serial
from vip.protocols import ModelSpace, Variable

PARTICLES, PARAMETERS, ITERATIONS = 20, 24_000, 200
SLEEPERS, SLEEPY_PARTICLES = 64, 512


class Nothing:
    """A forward that costs nothing."""

    def __init__(self, ndim=PARAMETERS):
        self.ndim = ndim
        self.space = ModelSpace((Variable("x", "1", ("i",), {"i": np.arange(float(ndim))}),))

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls()

    def __call__(self, models):
        return np.zeros(len(models)), np.zeros(models.shape)


class Sleeper(Nothing):
    """A particle takes as long as its first parameter says (s)."""

    def __call__(self, models):
        time.sleep(models[:, 0].sum())
        return super().__call__(models)


def milliseconds(evaluate, iterations=ITERATIONS):
    """Median and least time of a call."""
    models = np.random.default_rng(0).random((PARTICLES, PARAMETERS))
    taken = []
    for _ in range(iterations + 10):
        start = time.perf_counter()
        evaluate(models)
        taken.append(time.perf_counter() - start)
    return 1e3 * np.median(taken[10:]), 1e3 * np.min(taken[10:])


def show(what, measured, goal=None):
    median, least = measured
    print(f"{what:<58} {median:7.2f} ms  (least {least:.2f})" + (f", goal {goal} ms" if goal else ""), flush=True)


def naive(client):
    """Data scattered and every particle submitted anew in each iteration, its model in the task."""
    data = np.zeros(100_000)

    def one(data, model):
        return 0.0, np.zeros(len(model))

    def evaluate(models):
        there = client.scatter(data, broadcast=True, hash=False)
        return client.gather([client.submit(one, there, model, pure=False) for model in models])

    return evaluate


def overhead():
    print(f"{PARTICLES} particles of {PARAMETERS} parameters, a forward that does nothing; an iteration")
    show("serial", milliseconds(Serial(Nothing()).evaluate), 0.3)
    mpirun = mpi.launcher()
    if mpirun:
        subprocess.run([mpirun, "-n", "2", sys.executable, __file__], check=False)  # before Dask changes the environment
    with clusters.local(2, None, None) as client:
        with DaskWorkers(client, Nothing, shared=True) as dispatcher:
            show("2 local Dask workers (TLS, models in shared memory)", milliseconds(dispatcher.evaluate), 8)
        with DaskWorkers(client, Nothing) as dispatcher:
            show("2 Dask workers as on another machine (TLS)", milliseconds(dispatcher.evaluate))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster, Client(cluster) as client:
        show("the naive way: scatter, submit each, gather (no TLS)", milliseconds(naive(client), 20))


def overhead_of_ranks():
    if mpi.world().rank > 0:
        mpi.serve(Nothing(), 1)
        return
    with mpi.MPIRanks(Nothing(), 1) as dispatcher:
        show(f"{dispatcher.workers} MPI ranks", milliseconds(dispatcher.evaluate), 2)


def throughput():
    """Share of the time for which workers were asleep as they should be."""
    security = certificates.in_memory()
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": clusters.QUIET}
    with (
        dask.config.set(clusters.DASK_SETTINGS),
        LocalCluster(n_workers=SLEEPERS, security=security, protocol="tls://", **options) as cluster,
        clusters.remote(cluster.scheduler_address, security) as client,
    ):
        for shortest in (0.1, 0.4):
            for same in (True, False):
                efficiencies(client, shortest, same)


def efficiencies(client, shortest, same):
    """Efficiencies of a few iterations after the first one, at which no costs are known yet."""
    rng = np.random.default_rng(1)
    models = np.zeros((SLEEPY_PARTICLES, 1000))
    models[:, 0] = rng.uniform(shortest, 4 * shortest, SLEEPY_PARTICLES)
    shares = []
    with DaskWorkers(client, functools.partial(Sleeper, 1000), minimum=SLEEPERS) as dispatcher:
        for _ in range(5):
            if not same:
                rng.shuffle(models)
            start = time.perf_counter()
            dispatcher.evaluate(models)
            shares.append(models[:, 0].sum() / SLEEPERS / (time.perf_counter() - start))
    costs = "the same each time" if same else "another each time"
    found = ", ".join(f"{100 * share:.0f}" for share in shares)
    print(f"  {shortest:g} to {4 * shortest:g} s a particle, {costs}: {found} % of the ideal", flush=True)


if __name__ == "__main__":
    if mpi.launched_as()[1] > 1:
        overhead_of_ranks()
    else:
        overhead()
        print(f"{SLEEPY_PARTICLES} particles that differ by 4 x, {SLEEPERS} sleeping workers, five iterations; goal 90 %")
        throughput()
