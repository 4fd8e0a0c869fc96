"""What tables of Green's functions lose, how large they are, and how fast they are asked: a small layered earth below a sea.

    python benchmarks/waveform.py [--places 200] [--seed 1] [--shape 61 61 71]

The earth has layers, a velocity that is random by 3 %, and a sea of 100 m. Truth is the solver's own strain at random places
between the nodes. Measures: R2D, one minus the energy of all errors over that of all traces; correlation of a trace, in the
median and for the worst 5 %; error of the arrival, by the peak of the cross-correlation, in the same. They are given for
explosions and for random tensors, anywhere in the box and at least 60 m below the sea bed. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from vip.forward.waveform.earth import Earth
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens import Plan, fill
from vip.kernels_c.elastic3d import ForceSource, MomentSource

H, SEA = 10.0, 10  # m, nodes
STRAINS = ("exx", "eyy", "ezz", "eyz", "exz", "exy")
TWICE = np.array([1.0, 1, 1, 2, 2, 2])
CHOICES = ((2, 0.1), (2, 0.03), (2, 0.01), (1, 0.001))
"""Least distance of nodes in nodes of the earth, and tolerance."""
BAND = 17.0, 0.004, 0.7
"""Highest frequency, Hz; sampling interval and duration, s."""
FINE = 10
"""Parts of a sample in which arrivals are compared."""


def random_earth(shape, seed):
    z = np.arange(shape[2])
    vp = np.select([z < 22, z < 40], [1900.0, 2400.0], 3000.0) * np.ones(shape)
    disturbance = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
    vp *= 1 + 0.03 * disturbance / disturbance.std()
    vs, density = vp / 1.8, 1800 + 0.15 * vp
    vp[..., :SEA], vs[..., :SEA], density[..., :SEA] = 1500, 0, 1000
    return Earth(*(values.astype(np.float32) for values in (vp, vs, density)), np.full(3, H), np.zeros(3))


def truth_at(plan, channel, places):
    """Elementary seismograms (n, 6, samples) of the solver at places, by reciprocity."""
    solver = plan.solver()
    if channel.kind == "pressure":
        source, factor = MomentSource(channel.position, np.eye(3), plan.rate), -solver.bulk_modulus([channel.position])[0]
    else:
        source, factor = ForceSource(channel.position, channel.direction, plan.rate), 1.0
    strains = solver.run([source], places, plan.steps, STRAINS)
    times = solver.times("exx", plan.steps) + plan.start
    wanted = plan.start + plan.dt * np.arange(plan.samples)
    made = np.array([[np.interp(wanted, times, trace) for trace in six] for six in strains])
    return factor * TWICE[:, None] * made


def measures(found, truth):
    """R2D; correlation in the median and the worst 5 %; arrival error in the same, samples."""
    energy = (truth**2).sum(axis=1)
    correlation = (found * truth).sum(axis=1) / np.sqrt(energy * (found**2).sum(axis=1))
    n = found.shape[1]
    spectra = np.fft.rfft(found, 2 * n) * np.conj(np.fft.rfft(truth, 2 * n))
    shift = np.fft.irfft(spectra, 2 * n * FINE).argmax(axis=1) / FINE
    shift = np.abs(np.where(shift > n, shift - 2 * n, shift))
    r2d = 1 - ((found - truth) ** 2).sum() / energy.sum()
    return (
        f"R2D {r2d:.4f}, correlation {np.median(correlation):.4f} / {np.quantile(correlation, 0.05):.4f}, "
        f"arrival {np.median(shift):.1f} / {np.quantile(shift, 0.95):.1f} samples"
    )


def speed(table, places, slopes):
    """Microseconds of the processor a seismogram, of six a channel."""
    table.elementary(places[:2], slopes)
    began = time.process_time()
    table.elementary(places, slopes)
    return (time.process_time() - began) / (len(places) * len(table.channels) * 6) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shape", type=int, nargs=3, default=[61, 61, 71])
    options = parser.parse_args()
    earth, rng = random_earth(tuple(options.shape), options.seed), np.random.default_rng(options.seed)
    end = (np.array(options.shape) - 1) * H
    box = np.array([[100, end[0] - 100], [100, end[1] - 100], [SEA * H + 20, end[2] - 60]])
    channels = (
        Channel("A", "hydrophone", "pressure", (end[0] / 3, end[1] / 2, 40.0), (0.0, 0.0, 0.0)),
        Channel("B", "geophone", "velocity", (end[0] / 2, end[1] / 4, 160.0), (0.0, 0.0, 1.0)),
    )
    places = rng.uniform(box[:, 0], box[:, 1], (options.places, 3))
    deep = places[:, 2] > SEA * H + 60
    tensors = rng.normal(size=(options.places, 6))
    explosion = np.array([1.0, 1, 1, 0, 0, 0])
    for channel in channels:
        truth = truth_at(Plan(earth, [channel], box, *BAND), channel, places)
        for every, tolerance in CHOICES:
            plan = Plan(earth, [channel], box, *BAND, tolerance, every)
            began = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                table = fill(plan, Path(folder) / "table.h5")
            seconds, part = time.process_time() - began, table.content.parts[0]
            print(
                f"{channel.name}, tolerance {tolerance:g}: node each {part.spacing[0]:g} m, rank {len(part.basis)}, "
                f"{part.nbytes / 1e6:.2f} MB (and {table.content.materials.factors.nbytes / 1e6:.2f} MB of earth), "
                f"filled in {seconds:.0f} s; {plan.samples} samples: {speed(table, places, False):.1f} us a trace, "
                f"{speed(table, places, True):.1f} with slopes",
                flush=True,
            )
            found = table.elementary(places).traces[:, 0].astype(float)
            for name, tensor in (("explosions", np.broadcast_to(explosion, tensors.shape)), ("tensors", tensors)):
                ours, solver = (np.einsum("nk,nks->ns", tensor, traces) for traces in (found, truth))
                print(f"  {name:10} everywhere: {measures(ours, solver)}", flush=True)
                print(f"  {name:10} deep:       {measures(ours[deep], solver[deep])}", flush=True)


if __name__ == "__main__":
    main()
