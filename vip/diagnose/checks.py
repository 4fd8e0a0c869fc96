"""What to know before a run: whether the forward is sound, and what the run will cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from vip.diagnose.discretisation import N_MODELS, Discretisation, grid_error
from vip.diagnose.forward_tests import Verdict, examine
from vip.diagnose.gradients import gradient_error
from vip.errors import ForwardError
from vip.protocols import Converges, HasFacts, Simulates
from vip.rng import Purpose, stream
from vip.runs.inversion import density_at, loop_schedule
from vip.runs.problem import Problem

__all__ = ["Check", "Cost", "check_problem", "gradient_error"]

SLOW = 0.05
"""Time of a particle, s, above which the forward is tested at fewer models and nothing is timed twice."""
CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Cost:
    """Cost of a run; times in s, memory in bytes."""

    ndim: int
    n_evaluated: int
    iterations: int
    n_samples: int
    seconds_per_particle: float
    seconds_per_iteration: float
    memory_per_particle: float | None
    ends_itself: bool = False
    """Whether the method may be done before its last iteration."""

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a person to read."""
        total = timedelta(seconds=round(self.iterations * self.seconds_per_iteration))
        most = "at most " if self.ends_itself else ""
        memory = self.memory_per_particle
        return [
            ("time per particle", f"{self.seconds_per_particle * 1e3:.3g} ms"),
            ("memory per particle", "unknown" if memory is None else f"{memory / 2**20:.3g} MiB"),
            ("time per iteration", f"{self.seconds_per_iteration * 1e3:.3g} ms with {self.n_evaluated} particles"),
            ("evaluations", f"{most}{self.iterations * self.n_evaluated:,} in {self.iterations:,} iterations"),
            ("estimated run time", f"{most}{total}" + (": the method ends when it is done" if most else "")),
            ("samples", f"{self.n_samples:,}, {self.n_samples * self.ndim * 4 / 2**20:.3g} MiB on disk"),
        ]


@dataclass(frozen=True)
class Check:
    """Outcome of `check_problem`."""

    ndim: int
    n_data: int | None
    facts: list[tuple[str, str]]
    """Names and values that the forward adds."""
    verdicts: list[Verdict]
    cost: Cost | None
    """Cost of the run; None where the forward cannot be evaluated."""
    grid: Discretisation | None = None
    """Error of the forward's grid, for models of the prior; None where it has none or cannot be refined."""

    @property
    def failures(self) -> list[Verdict]:
        """The tests that the forward did not pass."""
        return [verdict for verdict in self.verdicts if verdict.outcome == "FAILED"]

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a person to read."""
        data = [] if self.n_data is None else [("data", str(self.n_data))]
        grid = [] if self.grid is None else [("error of the grid", str(self.grid))]
        tests = [(verdict.name, str(verdict)) for verdict in self.verdicts]
        return [
            ("model parameters", str(self.ndim)),
            *data,
            *self.facts,
            *grid,
            *tests,
            *(self.cost.rows() if self.cost else []),
        ]


def check_problem(problem: Problem) -> Check:
    """Test the forward, and measure one iteration of the configured algorithm."""
    models = problem.sample_prior(1, stream(problem.config.seed, 0, Purpose.CHECK))
    theta, memory, is_slow = problem.transform.to_theta(models), None, False
    with suppress(ForwardError):  # the tests will say so; the first call shows memory best, the second has no more to set up
        memory = _memory_used(lambda: problem.log_density(theta))
        is_slow = _shortest(lambda: problem.log_density(theta), 1) > SLOW
    verdicts = examine(problem, is_slow)
    cost = None
    with suppress(ForwardError):  # so have these
        cost = _cost(problem, memory, 1 if is_slow else 3)
    return Check(
        ndim=problem.space.size,
        n_data=len(problem.forward.sigma) if isinstance(problem.forward, Simulates) else None,
        facts=problem.forward.facts() if isinstance(problem.forward, HasFacts) else [],
        verdicts=verdicts,
        cost=cost,
        grid=grid_error(problem.forward, problem.sample_prior(N_MODELS, stream(problem.config.seed, 1, Purpose.CHECK))),
    )


def _cost(problem: Problem, memory: int | None, tries: int) -> Cost:
    """Cost of a run, from one iteration of the algorithm.

    Raises
    ------
    ForwardError
        If the forward fails on models drawn from the prior.
    """
    algorithm, schedule = problem.build_algorithm(), loop_schedule(problem)
    rng = stream(problem.config.seed, 0, Purpose.CHECK)
    n = algorithm.n_evaluated
    theta = problem.transform.to_theta(problem.sample_prior(max(n, algorithm.n_particles), rng))
    seconds = _shortest(lambda: problem.log_density(theta[:n]), tries)
    density = density_at(problem, problem.log_density)(0)
    state = algorithm.init(theta[: algorithm.n_particles])
    kept = (schedule.iterations - schedule.burn_in) // schedule.thin * algorithm.n_particles
    final = schedule.draws or algorithm.n_particles
    return Cost(
        ndim=problem.space.size,
        n_evaluated=n,
        iterations=schedule.iterations,
        n_samples=kept if algorithm.is_chain else final,
        seconds_per_particle=seconds / n,
        seconds_per_iteration=_shortest(lambda: algorithm.step(state, density, rng), tries),
        memory_per_particle=memory,
        ends_itself=isinstance(algorithm, Converges),
    )


def _shortest(action: Callable[[], object], tries: int) -> float:
    """Least time (s) of a few tries."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def _memory_used(action: Callable[[], object]) -> int | None:
    """Memory (bytes) that an action needs at its peak, native code included; None where the system does not report it."""
    if not CLEAR_REFS.is_file():
        return None
    CLEAR_REFS.write_text("5")  # Linux: the peak restarts from what is in use now
    before = _process_memory("VmHWM")
    action()
    return _process_memory("VmHWM") - before


def _process_memory(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
