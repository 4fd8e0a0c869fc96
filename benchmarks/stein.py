"""Time and memory of the Stein direction beside plain NumPy as usually written, on one core.

Usage: python benchmarks/stein.py [--particles 600] [--dimensions 24000]
"""

import argparse
import time
import tracemalloc

import numpy as np
from threadpoolctl import threadpool_limits

from vip.algorithms.stein_kernels import RBF


def plain_numpy(x, gradient):
    """SVGD as in many public codes: two matrix products for the direction and a full one for the distances."""
    norm = (x**2).sum(axis=1)
    squared = norm[:, None] + norm - 2 * x @ x.T
    h2 = np.median(squared[np.triu_indices(len(x), 1)]) / (2 * np.log(len(x)))
    kernel = np.exp(-squared / (2 * h2))
    repulsion = (x * kernel.sum(axis=1)[:, None] - kernel @ x) / h2
    return (kernel @ gradient + repulsion) / len(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--particles", type=int, default=600)
    parser.add_argument("--dimensions", type=int, default=24000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x, gradient = rng.standard_normal((2, options.particles, options.dimensions))
    methods = {"RBF.direction": lambda: RBF().direction(x, gradient), "plain NumPy": lambda: plain_numpy(x, gradient)}
    times = {name: [] for name in methods}
    with threadpool_limits(1):
        for _ in range(5):  # in turn, so that a change of the machine's speed meets both
            for name, method in methods.items():
                start = time.perf_counter()
                result = method()
                times[name].append(time.perf_counter() - start)
                if name == "plain NumPy":
                    difference = np.abs(result - RBF().direction(x, gradient)).max() / np.abs(result).max()
        tracemalloc.start()
        methods["RBF.direction"]()
        memory = tracemalloc.get_traced_memory()[1] / x.nbytes
    for name, seconds in times.items():
        print(f"{name:>16}: {min(seconds):.3f} s (median {np.median(seconds):.3f} s)")
    print(f"{'ratio':>16}: {min(times['plain NumPy']) / min(times['stein_direction']):.2f}")
    print(f"{'agreement':>16}: {difference:.1e} relative")
    print(f"{'memory':>16}: {memory:.2f} x (n x d) beyond the inputs")


if __name__ == "__main__":
    main()
