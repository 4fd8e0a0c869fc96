"""Seconds for waves and gradients of the Marmousi set-up, on one core, beside deepwave and Devito.

    python benchmarks/fwi2d.py [--repeats 5] [--steps 2501]

With VIP_DATA_DIR the velocity is that of Zhang & Curtis (2024), else layers of the same size. All codes work in float32, with
the same wavelet and time step. deepwave and Devito are optional: pip install vip-inversion[bench]
"""

from __future__ import annotations

import os

# One core for all, before their libraries are loaded.
os.environ.update(OMP_NUM_THREADS="1", DEVITO_LANGUAGE="C", DEVITO_LOGGING="ERROR")

import argparse
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vip.kernels_c.acoustic2d import Grid, Shot, propagate, simd_level, traces

NOT_INSTALLED = "not installed: pip install vip-inversion[bench]"
SPACING, DT, PEAK_FREQUENCY, PEAK_TIME = 20.0, 0.002, 10.0, 0.1  # m, s, Hz, s
SOURCES = [(1, 10 + 20 * k) for k in range(10)]
RECEIVERS = [(17, k) for k in range(200)]
WATER_ROWS = 18
COMPARED = 4
"""The shot whose traces are compared: near the middle."""
LARGE, LARGE_STEPS = (500, 1000), 200
PML_WIDTH = 20
"""Width of the absorbing layers, nodes: deepwave's default, and that of Devito's sponge where speed is compared."""
MARGIN = 200
"""Nodes by which a model is made larger, so that hardly anything comes back from its end."""
BYTES_PER_NODE = 16
"""Bytes of float32 that a step must move if nothing stays in cache: it reads u, u_old, (v dt)^2, and writes u."""


def marmousi():
    """Velocity (120, 200), m/s, and where it is from."""
    folder = os.environ.get("VIP_DATA_DIR")
    if folder:
        return np.loadtxt(Path(folder) / "marmousi_small" / "marmousi_small.txt"), "Marmousi"
    depth = np.arange(120)[:, None] + np.zeros(200)
    return np.where(depth < WATER_ROWS, 1500.0, 1700 + 400 * np.floor((depth - WATER_ROWS) / 15)), "synthetic layers"


def ricker(n_steps):
    x = (np.pi * PEAK_FREQUENCY * (DT * np.arange(n_steps) - PEAK_TIME)) ** 2
    return (1 - 2 * x) * np.exp(-x)


def enlarged(velocity, margin):
    return np.pad(velocity, margin, mode="edge")


def best_seconds(tasks, repeats):
    """Shortest time of each task, the repeats interleaved so that a slow spell of the machine meets all."""
    seconds = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(s) for name, s in seconds.items()}


class Ours:
    """The shots of a model on our kernel."""

    def __init__(self, velocity, n_steps, sources, receivers, **settings):
        self.velocity, self.wavelet = velocity, ricker(n_steps)[:, None]
        self.grid = Grid(velocity.shape, (SPACING, SPACING), DT, n_steps, layer_speed=velocity.max(), **settings)
        receivers = SPACING * np.array(receivers, float)
        self.shots = [Shot(self.grid, [(SPACING * row, SPACING * column)], receivers) for row, column in sources]
        rows, columns = self.grid.shape
        nodes = (self.grid.top + rows + self.grid.layer) * (columns + 2 * self.grid.layer)
        self.node_steps = len(sources) * nodes * (n_steps - 1)

    def traces(self, shot):
        """Traces (n_steps, receivers) of one shot."""
        return traces(self.velocity, shot, self.wavelet)

    def gradient(self, shot):
        """Gradient of half the energy of the traces."""
        waves = propagate(self.velocity, shot, self.wavelet)
        return waves.gradient(waves.traces)

    def forward(self):
        """Traces of all shots."""
        return [self.traces(shot) for shot in self.shots]

    def forward_and_gradient(self, threads=1):
        """Gradient of the energy of all traces."""
        if threads == 1:
            return sum(map(self.gradient, self.shots))
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(self.gradient, self.shots))


class Deepwave:
    """The same on deepwave: its scalar propagator. It solves lap u - (1/v^2) u_tt = f, f per node and not per area."""

    def __init__(self, velocity, n_steps, sources, receivers, accuracy=8):
        import deepwave
        import torch

        torch.set_num_threads(1)
        self.torch, self.scalar, self.accuracy = torch, deepwave.scalar, accuracy
        self.n_steps, self.velocity = n_steps, torch.tensor(velocity, dtype=torch.float32)
        self.amplitude = torch.tensor(-ricker(n_steps) / SPACING**2, dtype=torch.float32)[None, None]
        self.sources, self.receivers = torch.tensor(sources)[:, None, None], torch.tensor(receivers)[None]

    def traces_of(self, velocity, shot, sampling=1):
        """Traces of one shot in a velocity that may want its gradient, which then sums over every `sampling`-th step."""
        result = self.scalar(
            velocity,
            SPACING,
            DT,
            source_amplitudes=self.amplitude,
            source_locations=self.sources[shot],
            receiver_locations=self.receivers,
            accuracy=self.accuracy,
            pml_width=PML_WIDTH,
            pml_freq=PEAK_FREQUENCY,
            courant_number=COURANT_NUMBER,
            model_gradient_sampling_interval=sampling,
            nt=-(-self.n_steps // sampling) * sampling,  # it wants whole multiples
        )
        if result.info.step_ratio != 1:
            raise RuntimeError(f"deepwave: {result.info.step_ratio} steps a sample: not the same work")
        return result.receiver_amplitudes[0].T[: self.n_steps]

    def traces(self, shot):
        """Traces (n_steps, receivers) of one shot."""
        with self.torch.no_grad():
            return self.traces_of(self.velocity, shot).numpy()

    def forward(self):
        """Traces of all shots."""
        return [self.traces(shot) for shot in range(len(self.sources))]

    def forward_and_gradient(self, sampling=1):
        """Shot by shot, as all of them together need ten times the memory."""
        velocity = self.velocity.clone().requires_grad_()
        for shot in range(len(self.sources)):
            (self.traces_of(velocity, shot, sampling) ** 2).sum().mul(0.5).backward()
        return velocity.grad.numpy()


COURANT_NUMBER = 0.72
"""Courant number of deepwave: near the limit of 8th order, as its default would halve our time step."""


class Devito:
    """The same on Devito: its symbolic operator of order 8, a sponge around the model, waves alone."""

    def __init__(self, velocity, n_steps, sources, receivers, sponge=PML_WIDTH, order=8):
        import devito

        devito.configuration["language"] = "C"
        self.n_steps, self.sources, self.shift = n_steps, np.array(sources), sponge
        large = enlarged(velocity, sponge)
        extent = tuple((n - 1) * SPACING for n in large.shape)
        grid = devito.Grid(shape=large.shape, extent=extent, dtype=np.float32)
        self.u = devito.TimeFunction(name="u", grid=grid, time_order=2, space_order=order)
        m, damp = (devito.Function(name=name, grid=grid, space_order=order) for name in ("m", "damp"))
        m.data[:] = 1 / large**2
        damp.data[:] = self.damping(large, sponge) / large**2
        self.source = devito.SparseTimeFunction(name="source", grid=grid, npoint=1, nt=n_steps)
        self.source.data[:, 0] = ricker(n_steps) / SPACING**2
        self.receivers = devito.SparseTimeFunction(name="receivers", grid=grid, npoint=len(receivers), nt=n_steps)
        self.receivers.coordinates.data[:] = SPACING * (np.array(receivers) + sponge)
        equation = m * self.u.dt2 - self.u.laplace + damp * self.u.dt
        step = devito.Eq(self.u.forward, devito.solve(equation, self.u.forward))
        dt = grid.stepping_dim.spacing
        inject = self.source.inject(field=self.u.forward, expr=self.source * dt**2 / m)
        self.operator = devito.Operator([step, inject, self.receivers.interpolate(expr=self.u)])

    @staticmethod
    def damping(large, sponge):
        """1/s, quadratic in the depth inside the sponge, for a reflection of 1e-3 in theory."""
        depths = [np.maximum(0, sponge - np.minimum(np.arange(n), n - 1 - np.arange(n))) / sponge for n in large.shape]
        largest = 1.5 * np.log(1000) * large.max() / (sponge * SPACING)
        return largest * 2 * np.maximum(depths[0][:, None] ** 2, depths[1][None] ** 2)

    def traces(self, shot):
        """Traces (n_steps, receivers) of one shot."""
        self.u.data[:] = 0
        self.source.coordinates.data[:] = SPACING * (self.sources[shot] + self.shift)
        self.operator.apply(time_m=0, time_M=self.n_steps - 1, dt=DT)
        return np.array(self.receivers.data)

    def forward(self):
        """Traces of all shots."""
        return [self.traces(shot) for shot in range(len(self.sources))]


SAMPLING = 5
"""Steps between those from which deepwave may sum a gradient: 10 ms, at least four to the shortest period of the wavelet."""

PEERS = {"deepwave": Deepwave, "Devito": Devito}


def installed_peers(*arguments):
    """The peers that are there, ready to run; one line for each that is not."""
    ready = {}
    for name, peer in PEERS.items():
        try:
            ready[name] = peer(*arguments)
            ready[name].traces(0)  # compiles
        except ImportError:
            print(f"{name}: {NOT_INSTALLED}")
    return ready


def triad_bandwidth(nbytes, repeats):
    """GB/s of a = b + s c on three float32 arrays of that many bytes in all, one core.

    NumPy takes two passes: a = s c, then a = a + b. That is 5 arrays read or written, which are counted; a sixth, which most
    processors read before they first write a, is not.
    """
    a, b, c = np.ones((3, nbytes // 12), np.float32)

    def triad():
        np.multiply(c, np.float32(0.5), out=a)
        np.add(a, b, out=a)

    inner = max(1, 10**9 // nbytes)
    seconds = best_seconds({"triad": lambda: [triad() for _ in range(inner)]}, repeats)["triad"]
    return 5 * a.nbytes * inner / seconds / 1e9


def print_ours(name, small, large, repeats):
    tasks = {}
    for size, ours in (("Marmousi, 10 shots", small), (f"{LARGE[0]} x {LARGE[1]}, 1 shot", large)):
        tasks[size, "forward", ours] = ours.forward
        tasks[size, "forward and gradient", ours] = ours.forward_and_gradient
    for (size, what, ours), seconds in best_seconds(tasks, repeats).items():
        rate = ours.node_steps / seconds
        print(f"{name}, {size:19} {what:21} {seconds:7.3f} s {rate / 1e6:7.0f} Mpoint/s {1e9 / rate:6.3f} ns a point and step")


def print_threads(ours, repeats):
    if len(os.sched_getaffinity(0)) < 2:
        print("two threads: this machine has one core")
        return
    tasks = {threads: lambda threads=threads: ours.forward_and_gradient(threads) for threads in (1, 2)}
    took = best_seconds(tasks, repeats)
    print(f"forward and gradient, shots on 1 thread {took[1]:.3f} s, on 2 threads {took[2]:.3f} s: {took[1] / took[2]:.2f} x")


def print_bandwidth(large, repeats):
    seconds = best_seconds({"large": large.forward}, repeats)["large"]
    ours = BYTES_PER_NODE * large.node_steps / seconds / 1e9
    working = 3 * 4 * (LARGE[0] + 20) * (LARGE[1] + 20)
    print(f"{LARGE[0]} x {LARGE[1]} grid, 16 bytes a point and step: {ours:.1f} GB/s")
    for place, nbytes in (("three arrays as large", working), ("arrays larger than caches", 400 * 10**6)):
        triad = triad_bandwidth(nbytes, repeats)
        print(f"NumPy triad on {place} ({nbytes / 1e6:.0f} MB): {triad:.1f} GB/s; ours over it {ours / triad:.2f}")


def print_peers(small, peers, repeats):
    tasks = {("this kernel", "forward"): small.forward, ("this kernel", "forward and gradient"): small.forward_and_gradient}
    for name, peer in peers.items():
        tasks[name, "forward"] = peer.forward
        if hasattr(peer, "forward_and_gradient"):
            tasks[name, "forward and gradient"] = peer.forward_and_gradient
            sampled = f"the same, every {SAMPLING}th step"
            tasks[name, sampled] = lambda peer=peer: peer.forward_and_gradient(SAMPLING)
    took = best_seconds(tasks, repeats)
    for (name, what), seconds in took.items():
        ours = took["this kernel", "forward" if what == "forward" else "forward and gradient"]
        print(f"{name:12} {what:24} {seconds:7.3f} s {seconds / ours:6.2f} x ours")


def print_agreement(velocity, n_steps, small, peers):
    """Relative L2 difference of the traces of one shot from ours in a model larger by a margin on all sides."""
    far = enlarged(velocity, MARGIN)
    survey = [tuple(np.add(SOURCES[COMPARED], MARGIN))], np.add(RECEIVERS, MARGIN)
    truth = Ours(far, n_steps, *survey, layer=40).forward()[0]
    found = {f"this kernel, layers of {small.grid.layer} nodes": small.traces(small.shots[COMPARED])}
    wide = Ours(velocity, n_steps, SOURCES[COMPARED : COMPARED + 1], RECEIVERS, layer=PML_WIDTH)
    found[f"this kernel, layers of {PML_WIDTH} nodes"] = wide.forward()[0]
    for name, peer in peers.items():
        found[f"{name}, layers of {PML_WIDTH} nodes"] = peer.traces(COMPARED)
    if "deepwave" in peers:
        found["deepwave in the larger model"] = Deepwave(far, n_steps, *(np.array(x).tolist() for x in survey)).traces(0)
    if "Devito" in peers:
        found[f"Devito, sponge of {MARGIN} nodes"] = Devito(velocity, n_steps, SOURCES, RECEIVERS, sponge=MARGIN).traces(
            COMPARED
        )
    for name, values in found.items():
        print(f"{name:38} {np.linalg.norm(values - truth) / np.linalg.norm(truth):.1e}")
    if "deepwave" in peers:
        ours, theirs = (
            x[WATER_ROWS:-1, 1:-1] for x in (small.forward_and_gradient(), peers["deepwave"].forward_and_gradient())
        )
        angle = (ours * theirs).sum() / (np.linalg.norm(ours) * np.linalg.norm(theirs))
        print(f"gradient below the water, without the outermost nodes: cosine with deepwave's {angle:.5f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="of which the shortest counts; at most 3 beside others")
    parser.add_argument("--steps", type=int, default=2501)
    options = parser.parse_args()
    velocity, kind = marmousi()
    cpu = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    print(f"{cpu[0] if cpu else platform.processor()}, {simd_level()}; float32, one core")
    print(f"{kind} {velocity.shape}, {len(SOURCES)} shots, {options.steps} steps of {1e3 * DT:g} ms; points count the layers\n")
    middle = np.full(LARGE, 2000.0), LARGE_STEPS, [(250, 500)], [(17, k) for k in range(0, 1000, 5)]
    for order in (8, 6):
        small = Ours(velocity, options.steps, SOURCES, RECEIVERS, order=order)
        print_ours(f"order {order}", small, Ours(*middle, order=order), options.repeats)
    small = Ours(velocity, options.steps, SOURCES, RECEIVERS)
    known = Ours(velocity, options.steps, SOURCES, RECEIVERS, known_rows=WATER_ROWS)
    seconds = best_seconds({"known": known.forward_and_gradient}, options.repeats)["known"]
    print(f"order 8, Marmousi, {WATER_ROWS} rows of water known:   forward and gradient {seconds:7.3f} s")
    print(f"memory of a shot and its gradient: {small.shots[0].memory / 1e6:.1f} MB\n")
    print_threads(small, options.repeats)
    print()
    print_bandwidth(Ours(*middle), options.repeats)
    print("\nBeside others, order 8, 10 shots", flush=True)
    peers = installed_peers(velocity, options.steps, SOURCES, RECEIVERS)
    print_peers(small, peers, min(options.repeats, 3))
    print("\nTraces of one shot: relative L2 difference from this kernel in a model 200 nodes larger on all sides")
    print_agreement(velocity, options.steps, small, peers)


if __name__ == "__main__":
    main()
