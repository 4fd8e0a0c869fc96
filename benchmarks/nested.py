"""Nested sampling beside dynesty: evaluations and errors of the same evidences, known in closed form.

Usage: python benchmarks/nested.py [--live 500] [--seeds 3] [--problems small correlated ...]

dynesty (pip install dynesty) is left out where it is not installed. Both have the same number of live points and end at about
the same share of evidence left; dynesty bounds by several ellipsoids and, from ten parameters on, walks, as is its default. The
likelihoods cost next to nothing: CPU times are the methods' own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

import vip
from vip.methods import Nested
from vip.protocols import Floats
from vip.runs.inversion import run_in_memory

try:
    import dynesty
except ImportError:
    dynesty = None

LEFT = 0.01
"""Share of the evidence that is left at the end."""


class Problem(NamedTuple):
    """A log-likelihood in a box, and the logarithm of its mean there."""

    log_likelihood: Callable[[Floats], Floats]
    half: float
    d: int
    log_evidence: float


def correlated(d: int) -> Problem:
    """A Gaussian whose parameters are correlated by 0.95."""
    factor = np.linalg.cholesky(np.full((d, d), 0.95) + 0.05 * np.eye(d))
    inverse, log_root = np.linalg.inv(factor), np.log(np.diag(factor)).sum()

    def log_likelihood(x: Floats) -> Floats:
        return -0.5 * ((x @ inverse.T) ** 2).sum(axis=-1)

    return Problem(log_likelihood, 5.0, d, d / 2 * np.log(2 * np.pi) + log_root - d * np.log(10))


def small(d: int) -> Problem:
    """A Gaussian with a standard deviation of a twentieth of the box."""
    return Problem(
        lambda x: -0.5 * ((x / 0.1) ** 2).sum(axis=-1), 1.0, d, d / 2 * np.log(2 * np.pi) + d * np.log(0.1) - d * np.log(2)
    )


def shells() -> Problem:
    """Two thin shells in two dimensions."""
    centres, r = np.array([[-3.5, 0], [3.5, 0]]), np.linspace(1, 3, 20_001)

    def profile(distance: Floats) -> Floats:
        return -0.5 * ((distance - 2) / 0.1) ** 2 - np.log(0.1 * np.sqrt(2 * np.pi))

    def log_likelihood(x: Floats) -> Floats:
        return logsumexp(profile(np.linalg.norm(x[..., None, :] - centres, axis=-1)), axis=-1)

    integral = 2 * np.pi * (np.exp(profile(r)) * r).sum() * (r[1] - r[0])
    return Problem(log_likelihood, 6.0, 2, np.log(2 * integral / 144))


def eggbox() -> Problem:
    """Eighteen modes in two dimensions."""

    def log_likelihood(x: Floats) -> Floats:
        return (2 + np.prod(np.cos((x + 5 * np.pi) / 2), axis=-1)) ** 5

    grid = (np.arange(2000) + 0.5) / 2000 * 10 * np.pi - 5 * np.pi
    places = np.stack(np.meshgrid(grid, grid), axis=-1)
    return Problem(log_likelihood, 5 * np.pi, 2, logsumexp(log_likelihood(places)) - 2 * np.log(2000))


PROBLEMS = {
    "small 3": lambda: small(3),
    "eggbox 2": eggbox,
    "shells 2": shells,
    "correlated 10": lambda: correlated(10),
    "correlated 20": lambda: correlated(20),
}


class Outcome(NamedTuple):
    """Error of the log-evidence, the standard error that is said, evaluations, CPU seconds."""

    error: float
    said: float
    evaluations: int
    seconds: float


def ours(problem: Problem, live: int, seed: int) -> Outcome:
    """Outcome of `vip.methods.Nested`."""
    prior = vip.priors.Uniform(np.full(problem.d, -problem.half), np.full(problem.d, problem.half))
    posed = vip.make_problem(problem.log_likelihood, prior, Nested(particles=live, remaining=LEFT), seed=seed)
    start = time.process_time()
    memory, _ = run_in_memory(posed)
    last = memory.metrics()[-1]
    seconds = time.process_time() - start
    return Outcome(last["log_evidence"] - problem.log_evidence, last["log_evidence_error"], memory.evaluations, seconds)


def theirs(problem: Problem, live: int, seed: int) -> Outcome:
    """Outcome of dynesty's static sampler."""
    start = time.process_time()
    sampler = dynesty.NestedSampler(
        lambda x: float(problem.log_likelihood(x)),
        lambda u: problem.half * (2 * u - 1),
        problem.d,
        nlive=live,
        rstate=np.random.default_rng(seed),
    )
    sampler.run_nested(dlogz=LEFT, print_progress=False)
    found, seconds = sampler.results, time.process_time() - start
    evaluations = int(np.sum(found.ncall))
    return Outcome(float(found.logz[-1]) - problem.log_evidence, float(found.logzerr[-1]), evaluations, seconds)


def main() -> None:
    """Print a line for each problem and code: means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--live", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS), choices=PROBLEMS)
    options = parser.parse_args()
    codes = {"vip": ours} | ({"dynesty": theirs} if dynesty else {})
    if not dynesty:
        print("dynesty is not installed: ours alone")
    print(f"{'problem':>14} {'code':>8} {'error':>8} {'r.m.s.':>7} {'said':>6} {'evaluations':>12} {'CPU s':>7}")
    with threadpool_limits(1):
        for name in options.problems:
            problem = PROBLEMS[name]()
            found: dict[str, list[Outcome]] = {code: [] for code in codes}
            for seed in range(1, options.seeds + 1):  # in turn, so that a change of the machine's speed meets both
                for code, run in codes.items():
                    found[code].append(run(problem, options.live, seed))
            for code, outcomes in found.items():
                error, said, evaluations, seconds = np.array(outcomes).T
                print(
                    f"{name:>14} {code:>8} {error.mean():+8.3f} {np.sqrt(np.mean(error**2)):7.3f} {said.mean():6.3f}"
                    f" {evaluations.mean():12,.0f} {seconds.mean():7.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
