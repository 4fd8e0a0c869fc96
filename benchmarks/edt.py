"""Seconds for log-likelihood and gradient on the scaling test of Smith et al. (2022, Table 3), beside theirs and NumPy's.

    python benchmarks/edt.py [--repeats 5] [--threads 1]

Table 3 has HypoSVI on one V100: 150 particles, 175 epochs, the travel times of its neural network included. Here the
equal-differential-time likelihood alone is timed for one epoch, best of the repeats, and multiplied by 175; so is NumPy's sum,
for a few particles and multiplied by the rest too. Last, a catalogue: events of 30 picks each.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np

from vip.kernels_c.edt import log_edt, simd_level

N_PARTICLES, N_EPOCHS = 150, 175
HYPOSVI = {32: 6, 128: 17, 512: 64, 1024: 155, 1408: 247, 1728: 336, 2028: 439}
"""Picks, and seconds on a V100."""
CATALOGUE, PICKS, CALL = 10_000, 30, 20
"""Events, picks of each, and events in one call."""
NUMPY_PARTICLES = 2


def picks(rng, n_picks, sigma):
    """Residuals and variances (N_PARTICLES, n_picks): sigma by eq. 14 between its bounds, one pick in twenty an outlier."""
    sigma = rng.uniform(*sigma, (N_PARTICLES, n_picks))
    residual = rng.normal(size=sigma.shape) * sigma
    residual += rng.uniform(-100, 100, sigma.shape) * (rng.uniform(size=sigma.shape) < 0.05)
    return np.asfortranarray(residual), np.asfortranarray(sigma**2)


def numpy_edt(residual, variance):
    """Log S (n,) and its gradients, a particle at a time, as one would write it: all pairs, twice, and no care of underflow."""
    log_sum, by_residual, by_variance = np.empty(len(residual)), np.empty_like(residual), np.empty_like(residual)
    for n, (r, v) in enumerate(zip(residual, variance, strict=True)):
        d, inverse = r[:, None] - r, 1 / (v[:, None] + v)
        z = d**2 * inverse
        term = np.sqrt(inverse) * np.exp(-z)
        np.fill_diagonal(term, 0)
        total = term.sum() / 2
        term *= inverse
        log_sum[n] = np.log(total)
        by_residual[n] = -2 / total * (term * d).sum(axis=1)
        by_variance[n] = (term * (z - 0.5)).sum(axis=1) / total
    return log_sum, by_residual, by_variance


def best_seconds(task, repeats):
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def print_table(rng, repeats, threads):
    """Sigmas from 0.1 to 2 s are the worst for the grid, whose step is that of the sharpest pick; equal ones are the best."""
    print("                        this kernel: sigma 0.1-2 s    sigma 0.5 s   direct sum   NumPy (scaled)   HypoSVI, V100")
    for n, hyposvi in HYPOSVI.items():
        wide, equal, start = picks(rng, n, (0.1, 2.0)), picks(rng, n, (0.5, 0.5)), [0, n]
        few = [x[:NUMPY_PARTICLES] for x in wide]
        scale = N_PARTICLES / NUMPY_PARTICLES
        seconds = [
            best_seconds(lambda x=wide, s=start: log_edt(*x, s, threads=threads), repeats),
            best_seconds(lambda x=equal, s=start: log_edt(*x, s, threads=threads), repeats),
            best_seconds(lambda x=wide, s=start: log_edt(*x, s, tolerance=0, threads=threads), min(repeats, 3)),
            best_seconds(lambda x=few: numpy_edt(*x), min(repeats, 3)) * scale,
        ]
        wide_s, equal_s, direct_s, numpy_s = (N_EPOCHS * s for s in seconds)
        print(
            f"{n:5} picks, {n * (n - 1) // 2:9,} pairs {wide_s:20.3f} s {equal_s:12.3f} s {direct_s:10.3f} s "
            f"{numpy_s:14.0f} s {hyposvi:13} s"
        )


def print_catalogue(rng, repeats, threads):
    start = PICKS * np.arange(CALL + 1)
    data = picks(rng, start[-1], (0.1, 2.0))
    seconds = best_seconds(lambda: log_edt(*data, start, threads=threads), repeats)
    terms = N_PARTICLES * CALL * PICKS * (PICKS - 1) / 2
    total = seconds * CATALOGUE / CALL * N_EPOCHS
    print(f"{CATALOGUE:,} events of {PICKS} picks (from one call of {CALL} events): {total:.0f} s in all epochs, ", end="")
    print(f"{terms / seconds / 1e6:.0f} million pair terms a second")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    cpu = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    print(f"{cpu[0] if cpu else platform.processor()}, {simd_level()}, {options.threads} thread(s); float64, with gradients")
    print(f"{N_PARTICLES} particles x {N_EPOCHS} epochs\n")
    print_table(rng, options.repeats, options.threads)
    print()
    print_catalogue(rng, 10 * options.repeats, options.threads)


if __name__ == "__main__":
    main()
