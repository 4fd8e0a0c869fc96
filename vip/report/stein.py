"""Statistics from gradients at some samples: whether they are spread as the posterior is, and how far from it they are."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from vip.diagnose.statistics import REPEATS, Discrepancy, stein_discrepancy, stein_spread
from vip.errors import ForwardError
from vip.protocols import Floats, WithoutGradient
from vip.rng import Purpose, stream
from vip.runs.result import Result

N_EVALUATED = 200
"""Largest number of gradients in all."""
SECONDS = 60.0
"""Time that the gradients may take, s."""
N_POINTS = 5
"""Number of parts of a chain's samples, each of which is judged by itself."""
LEAST = 10
"""Least number of samples in each part."""


class Stein(NamedTuple):
    """Statistics of a run's samples in unconstrained space; distances are in standard deviations of each entry."""

    iterations: Floats
    """Iteration (points,) of the last sample of each part."""
    discrepancies: list[Discrepancy]
    spread: float
    """Variance of the last part's samples over that of the posterior."""
    n: int
    """Number of samples of the last part."""
    n_evaluated: int

    def __str__(self) -> str:
        first, last = self.discrepancies[0], self.discrepancies[-1]
        since = f" at the end, {first.squared:.2g} at first" if len(self.discrepancies) > 1 else ""
        chance = f"{last.p_value:.2g}" if last.p_value else f"less than {1 / REPEATS:g}"
        return (
            f"KSD² {last.squared:.2g}{since}; of independent samples of the posterior 0 on average, and larger than that with "
            f"probability {chance}; {self.n_evaluated:,} gradients were evaluated for it"
        )


def measure(result: Result) -> Stein | None:
    """Evaluate the log-posterior's gradient at samples along a chain, or at the last ones of another algorithm.

    None where that would take too long, the forward fails, or bounds are hard: there the density does not vanish, and Stein's
    identity does not hold.
    """
    problem = result.problem
    if problem.transform.has_hard_bounds or (isinstance(problem.forward, WithoutGradient) and not problem.forward.has_gradient):
        return None
    iterations, parts = _parts(result)
    try:
        start = time.perf_counter()
        problem.log_density(problem.transform.to_theta(parts[-1][:1]))
        affordable = SECONDS / (time.perf_counter() - start)
        if affordable < LEAST * len(parts):
            return None
        each = int(min(affordable, N_EVALUATED)) // len(parts)
        theta, gradient = zip(*(_evaluated(result, _thinned(part, each)) for part in parts), strict=True)
    except ForwardError:
        return None
    if min(len(x) for x in theta) < LEAST:
        return None
    scale = np.concatenate(theta).std(axis=0)
    scale[scale == 0] = 1.0  # what is known beforehand
    rng = stream(problem.config.seed, 2, Purpose.CHECK)
    discrepancies = [stein_discrepancy(x / scale, g * scale, rng) for x, g in zip(theta, gradient, strict=True)]
    evaluated = sum(len(x) for x in theta) + 1
    return Stein(iterations, discrepancies, stein_spread(theta[-1], gradient[-1]), len(theta[-1]), evaluated)


def _parts(result: Result) -> tuple[Floats, list[Floats]]:
    """Last iterations, and models (n, d), of the parts of a run that are judged."""
    kept = np.concatenate([stretch.iterations for stretch in result.store.samples()])
    models = result.equal()[None] if result.is_weighted else result.models
    n_parts = int(np.clip(models.shape[1] // LEAST, 1, N_POINTS)) if len(models) > 1 else 1
    ends = np.array([part[-1] for part in np.array_split(kept, n_parts)], dtype=float)
    parts = np.array_split(models, n_parts, axis=1)
    return ends, [_thinned(part.reshape(-1, models.shape[-1]), N_EVALUATED).astype(np.float64) for part in parts]


def _evaluated(result: Result, models: Floats) -> tuple[Floats, Floats]:
    """Theta and gradients (n, d) of models, except those that rounding to single precision has put on a bound."""
    problem = result.problem
    theta = problem.transform.to_theta(models)
    theta = theta[np.isfinite(theta).all(axis=1)]
    gradient = problem.log_density(theta).gradient
    return theta, gradient


def _thinned(samples: Floats, n: int) -> Floats:
    chosen: Floats = samples[np.linspace(0, len(samples) - 1, min(n, len(samples))).astype(int)]
    return chosen
