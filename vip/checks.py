"""What to know before a run: whether the gradient is right, and what the run will cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from vip.inversion import build_algorithm, density_at, loop_schedule
from vip.problem import Problem
from vip.protocols import Floats, HasFacts, LogDensity, Simulates
from vip.rng import Purpose, stream

DIRECTIONS = 8
DIRECTIONS_IF_SLOW = 3
SLOW = 0.05
"""Seconds a particle from which the gradient is tested in fewer directions, and nothing is timed twice."""
CLEAR_REFS = Path("/proc/self/clear_refs")
STEPS = np.logspace(-7, -1, 7)
STEPS_IF_SLOW = np.logspace(-2.5, 0, 6)
"""Slow codes have many data and run in single precision: only steps that stand out of its noise."""
TOLERANCE = 1e-2
"""Relative disagreement of gradient and finite difference at the best step. Codes in single precision, whose misfit is
noisy, reach about 1e-3; a wrong term is of order one."""


@dataclass(frozen=True)
class Check:
    """Outcome of `check_problem`; times in s, memory in bytes."""

    ndim: int
    n_data: int | None
    n_evaluated: int
    iterations: int
    n_samples: int
    gradient_error: float
    seconds_per_particle: float
    seconds_per_iteration: float
    memory_per_particle: float | None
    facts: list[tuple[str, str]]
    """What the forward adds."""

    @property
    def gradient_is_right(self) -> bool:
        """Whether the gradient agrees with finite differences."""
        return self.gradient_error < TOLERANCE

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a person."""
        total = timedelta(seconds=round(self.iterations * self.seconds_per_iteration))
        data = [] if self.n_data is None else [("data", str(self.n_data))]
        memory = self.memory_per_particle
        return [
            ("model parameters", str(self.ndim)),
            *data,
            *self.facts,
            ("gradient error", f"{self.gradient_error:.1e} ({'passed' if self.gradient_is_right else 'FAILED'})"),
            ("time per particle", f"{self.seconds_per_particle * 1e3:.3g} ms"),
            ("memory per particle", "unknown" if memory is None else f"{memory / 2**20:.3g} MiB"),
            ("time per iteration", f"{self.seconds_per_iteration * 1e3:.3g} ms with {self.n_evaluated} particles"),
            ("evaluations", f"{self.iterations * self.n_evaluated:,} in {self.iterations:,} iterations"),
            ("estimated run time", str(total)),
            ("samples", f"{self.n_samples:,}, {self.n_samples * self.ndim * 4 / 2**20:.3g} MiB on disk"),
        ]


def check_problem(problem: Problem) -> Check:
    """Test the gradient and measure one iteration of the configured algorithm.

    Raises
    ------
    ForwardError
        If the forward fails on models drawn from the prior.
    """
    settings, seed = problem.config.algorithm, problem.config.seed
    algorithm, schedule = build_algorithm(settings, problem.transform.project), loop_schedule(problem)
    rng = stream(seed, 0, Purpose.CHECK)
    n = algorithm.n_evaluated
    theta = problem.transform.to_theta(problem.sample_prior(max(n, algorithm.n_particles), rng))
    memory = _memory_used(lambda: problem.log_density(theta[:1]))
    is_slow = _shortest(lambda: problem.log_density(theta[:1]), 1) > SLOW
    tries = 1 if is_slow else 3
    seconds = _shortest(lambda: problem.log_density(theta[:n]), tries)
    density = density_at(problem, problem.log_density)(0)
    state = algorithm.init(theta[: algorithm.n_particles])
    kept = (schedule.iterations - schedule.burn_in) // schedule.thin * algorithm.n_particles
    final = schedule.draws or algorithm.n_particles
    return Check(
        ndim=problem.space.size,
        n_data=len(problem.forward.sigma) if isinstance(problem.forward, Simulates) else None,
        n_evaluated=n,
        iterations=schedule.iterations,
        n_samples=kept if algorithm.is_chain else final,
        gradient_error=gradient_error(problem.log_density, theta[:1], rng, is_slow),
        seconds_per_particle=seconds / n,
        seconds_per_iteration=_shortest(lambda: algorithm.step(state, density, rng), tries),
        memory_per_particle=memory,
        facts=problem.forward.facts() if isinstance(problem.forward, HasFacts) else [],
    )


def gradient_error(log_density: LogDensity, theta: Floats, rng: np.random.Generator, is_slow: bool = False) -> float:
    """Relative disagreement of gradient and central differences: median over directions, each at its best step.

    Parameters
    ----------
    log_density : callable
    theta : (1, d) float
        Where to test.
    rng : Generator
        Draws the directions.
    is_slow : bool
        Whether to do with fewer evaluations.

    Examples
    --------
    >>> quadratic = lambda theta: (-(theta**2).sum(axis=1), -2 * theta)
    >>> gradient_error(quadratic, np.ones((1, 3)), np.random.default_rng(0)) < 1e-6
    True
    """
    gradient = log_density(theta)[1][0]
    errors = []
    steps = STEPS_IF_SLOW if is_slow else STEPS
    for _ in range(DIRECTIONS_IF_SLOW if is_slow else DIRECTIONS):
        direction = rng.standard_normal((theta.shape[1],))
        direction /= np.linalg.norm(direction)
        expected = float(gradient @ direction)
        shifted = theta + np.concatenate([steps, -steps])[:, None] * direction
        values = log_density(shifted)[0]
        difference = (values[: len(steps)] - values[len(steps) :]) / (2 * steps)
        errors.append(np.abs(difference - expected).min() / max(abs(expected), 1e-300))
    return float(np.median(errors))


def _shortest(action: Callable[[], object], tries: int) -> float:
    """Least time (s) of a few tries."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def _memory_used(action: Callable[[], object]) -> int | None:
    """Memory (bytes) that an action needs at its peak, native code included; None where the system does not tell."""
    if not CLEAR_REFS.is_file():
        return None
    CLEAR_REFS.write_text("5")  # Linux: the peak restarts from what is in use now
    before = _process_memory("VmHWM")
    action()
    return _process_memory("VmHWM") - before


def _process_memory(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
