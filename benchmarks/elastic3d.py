"""Points a second of elastic waves in 3-D on one core, beside Devito and deepwave.

    python benchmarks/elastic3d.py [--repeats 3] [--steps 6] [--orders 4 8]

The grid is that of a microseismic study, 81 x 81 x 301 nodes and 10 nodes of absorbing layers on all sides: 3.3 million points.
All codes work in float32. Devito solves its own elastic equations on as many points, with a sponge and no other layers.
Seconds are of the processor, in rounds in which each code has its turn. The last lines compare traces with deepwave's. Both are
optional: pip install vip-inversion[bench]
"""

from __future__ import annotations

import os

# One core for all, before their libraries are loaded.
os.environ.update(OMP_NUM_THREADS="1", DEVITO_LANGUAGE="C", DEVITO_LOGGING="ERROR")

import argparse
import time

import numpy as np

from vip.kernels_c.elastic3d import ForceSource, Solver, largest_time_step, simd_level
from vip.kernels_c.elastic3d.solver import Blocking

NOT_INSTALLED = "not installed: pip install vip-inversion[bench]"
SHAPE, LAYER, SPACING = (81, 81, 301), 10, 10.0  # nodes, nodes, m
POINTS = int(np.prod([n + 2 * LAYER for n in SHAPE]))
VP, VS, DENSITY = 3000.0, 1700.0, 2200.0
DT = 0.0012  # s
PAPER_STEPS = 2505
"""Time steps of one source in the study."""


def seconds_of(task, clock=time.process_time):
    start = clock()
    task()
    return clock() - start


class Ours:
    """Our kernel, absorbing layers included."""

    def __init__(self, order, shape=SHAPE, threads=1):
        self.solver = Solver(*(np.full(shape, v) for v in (VP, VS, DENSITY)), SPACING, DT, order, LAYER, threads=threads)

    def steps(self, n):
        self.solver.run([], [], n)


class Devito:
    """Devito's elastic equations as in its examples: velocities and stresses, and a sponge that multiplies them."""

    def __init__(self, order):
        import devito

        shape = tuple(n + 2 * LAYER for n in SHAPE)
        grid = devito.Grid(shape=shape, extent=tuple((n - 1) * SPACING for n in shape), dtype=np.float32)
        v = devito.VectorTimeFunction(name="v", grid=grid, space_order=order, time_order=1)
        tau = devito.TensorTimeFunction(name="tau", grid=grid, space_order=order, time_order=1)
        lame, mu, b, damp = (devito.Function(name=name, grid=grid, space_order=order) for name in ("lame", "mu", "b", "damp"))
        mu.data[:], b.data[:], damp.data[:] = DENSITY * VS**2, 1 / DENSITY, 1
        lame.data[:] = DENSITY * (VP**2 - 2 * VS**2)
        dt = grid.stepping_dim.spacing
        gradient = devito.grad(v.forward)
        strain = gradient + gradient.transpose(inner=False)
        of_velocity = devito.Eq(v.forward, damp * (v + dt * b * devito.div(tau)))
        stress = tau + dt * lame * devito.diag(devito.div(v.forward)) + dt * mu * strain
        self.operator = devito.Operator([of_velocity, devito.Eq(tau.forward, damp * stress)])

    def steps(self, n):
        self.operator.apply(time_m=0, time_M=n - 1, dt=DT)


class Deepwave:
    """deepwave's elastic propagator, absorbing layers included."""

    def __init__(self, order, shape=SHAPE):
        import deepwave
        import torch

        torch.set_num_threads(1)
        self.torch, self.order, self.elastic = torch, order, deepwave.elastic
        lame, mu = DENSITY * (VP**2 - 2 * VS**2), DENSITY * VS**2
        self.model = [torch.full(shape, value, dtype=torch.float32) for value in (lame, mu, 1 / DENSITY)]

    def steps(self, n, **survey):
        """Propagate; deepwave wants a source, here or of a survey, along y, its second axis."""
        quiet = {
            "source_amplitudes_y": self.torch.zeros(1, 1, n),
            "source_locations_y": self.torch.tensor([[[5, 5, 5]]]),
        }
        settings = {
            "accuracy": self.order,
            "pml_width": LAYER,
            "pml_freq": 20.0,
            "max_vel": VP,
            "courant_number": 0.7,
            "check_output_finite": False,
        }
        with self.torch.no_grad():
            found = self.elastic(*self.model, SPACING, DT, **settings, **(survey or quiet))
        if found.info.step_ratio != 1:
            raise RuntimeError(f"deepwave: {found.info.step_ratio} steps a sample: not the same work")
        return found


PEERS = {"Devito": Devito, "deepwave": Deepwave}
GOALS = {"Devito": 3.0, "deepwave": 8.0}


def compare(order, steps, repeats):
    """Print points a second of all codes that are there."""
    codes = {"this kernel": Ours(order)}
    for name, peer in PEERS.items():
        try:
            codes[name] = peer(order)
            codes[name].steps(1)  # compiles
        except ImportError:
            print(f"order {order}: {name}: {NOT_INSTALLED}")
    seconds = {name: [] for name in codes}
    for _ in range(repeats):
        for name, code in codes.items():
            # What a call costs besides its steps is taken off.
            seconds[name].append(
                seconds_of(lambda code=code: code.steps(1 + steps)) - seconds_of(lambda code=code: code.steps(1))
            )
    rates = {name: POINTS * steps / min(s) / 1e6 for name, s in seconds.items()}
    for name, rate in rates.items():
        ratio = rates["this kernel"] / rate
        goal = f", goal {GOALS[name]:g}" if name in GOALS else ""
        print(f"order {order}: {name:12} {rate:6.1f} million points a second; this kernel is {ratio:.2f} times as fast{goal}")
    print(
        f"order {order}: {PAPER_STEPS} steps: {PAPER_STEPS * POINTS / rates['this kernel'] / 1e6:.0f} s a receiver", flush=True
    )


def threads(order, steps, repeats):
    """Print what two threads gain, by the clock on the wall."""
    one, two = Ours(order), Ours(order, threads=2)
    took = [
        min(seconds_of(lambda code=code: code.steps(steps), time.perf_counter) for _ in range(repeats)) for code in (one, two)
    ]
    print(
        f"order {order}: two threads are {took[0] / took[1]:.2f} times as fast as one (clock on the wall), goal 1.8", flush=True
    )


def blockings(order, steps):
    """Print points a second for several orders of the work."""
    ours = Ours(order)
    for block in ((1, 1000), (1, 16), (2, 12), (2, 16), (2, 24), (3, 16)):
        ours.solver.blocking = Blocking(*block, 1)
        rate = POINTS * steps / seconds_of(lambda: ours.steps(steps)) / 1e6
        print(
            f"order {order}: {block[0]} steps in a sweep, tiles of {block[1]} rows: {rate:.1f} million points a second",
            flush=True,
        )


def traces_beside_deepwave(order):
    """Print the relative L2 difference of traces from deepwave's: a force along y, receivers of vy."""
    shape, n = (40, 44, 48), 250
    try:
        peer = Deepwave(order, shape)
    except ImportError:
        return
    times = DT * np.arange(n)
    x = (np.pi * 15 * (times - 0.09)) ** 2
    wavelet = (1 - 2 * x) * np.exp(-x)
    source, receivers = [20, 21, 22], [[30, 30, 30], [20, 35, 22], [33, 21, 12]]
    torch = peer.torch
    theirs = peer.steps(
        n,
        source_amplitudes_y=torch.tensor(wavelet / SPACING**3, dtype=torch.float32)[None, None],
        source_locations_y=torch.tensor([[source]]),
        receiver_locations_y=torch.tensor([receivers]),
    )
    # Their y is the second axis, and their places are those of velocities: half a node further.
    # Their first sample is before ours.
    theirs = theirs.receiver_amplitudes_y[0].numpy()[:, 1:]
    half = np.array([0, 0.5, 0])
    solver = Ours(order, shape).solver
    force = ForceSource((source + half) * SPACING, (0, 1, 0), lambda t: np.interp(t, times, wavelet))
    ours = solver.run([force], (np.array(receivers) + half) * SPACING, n, ["vy"])[:, 0, :-1]
    difference = np.linalg.norm(ours - theirs) / np.linalg.norm(ours)
    print(f"order {order}: traces differ from deepwave's by {difference:.1e}, goal 1e-2")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="of which the shortest counts")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--orders", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--blockings", action="store_true", help="also several orders of the work")
    options = parser.parse_args()
    limit = largest_time_step((SPACING,) * 3, VP, 8)
    print(f"{simd_level()}; float32; {POINTS / 1e6:.2f} million points, dt {DT / limit:.2f} of the limit of order 8")
    for order in options.orders:
        compare(order, options.steps, options.repeats)
        threads(order, options.steps, options.repeats)
        traces_beside_deepwave(order)
        if options.blockings:
            blockings(order, options.steps)


if __name__ == "__main__":
    main()
