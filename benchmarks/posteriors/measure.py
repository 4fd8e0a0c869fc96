"""Errors of mean, standard deviation and nearest-neighbour correlation of one method on one problem."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from problems import Truth

from vip import runner
from vip.errors import VIPError
from vip.inversion import loop_schedule, starting_models
from vip.methods import build_algorithm
from vip.problem import Problem
from vip.protocols import Floats

MOST_SAMPLES = 40_000


class Memory:
    """A recorder for `runner.run` that keeps samples in memory, and counts."""

    def __init__(self) -> None:
        self.models: list[Floats] = []
        self.evaluations = 0

    def append(self, iteration: int, models: Floats) -> None:
        self.models.append(models.astype(np.float32))

    def commit(self, iteration: int, status: str, state: Any) -> None:
        pass

    def log_metrics(self, iteration: int, info: Any, seconds: float, more: Any) -> None:
        self.evaluations += more["evaluations"]

    def save_failed(self, iteration: int, models: Floats) -> str:
        return "memory"


def sampled(problem: Problem) -> tuple[Floats, int, float]:
    """Samples (m, d) of a problem's algorithm, evaluations spent, seconds."""
    algorithm, schedule = build_algorithm(problem), loop_schedule(problem)
    kept = (schedule.iterations - schedule.burn_in) * algorithm.n_particles
    schedule = schedule._replace(thin=max(1, kept // MOST_SAMPLES))
    memory, start = Memory(), time.perf_counter()
    state = algorithm.init(problem.transform.to_theta(starting_models(problem, algorithm)))
    density = problem.log_density
    runner.run(algorithm, lambda i: density, problem.transform.to_model, state, 0, schedule, problem.config.seed, memory)
    return np.concatenate(memory.models).astype(float), memory.evaluations, time.perf_counter() - start


def errors(models: Floats, truth: Truth) -> dict[str, float]:
    """Relative to the standard deviations: of the mean, of the standard deviation (mean and ninth decile), of correlations."""
    found = Truth.of_samples(models, truth.pairs)
    of_sd = np.abs(found.sd / truth.sd - 1)
    return {
        "mean": float(np.mean(np.abs(found.mean - truth.mean) / truth.sd)),
        "sd": float(of_sd.mean()),
        "sd 90%": float(np.quantile(of_sd, 0.9)),
        "sd ratio": float(np.mean(found.sd / truth.sd)),
        "correlation": float(np.abs(found.correlation - truth.correlation).mean()) if len(truth.pairs) else float("nan"),
    }


def measured(problem: Problem, truth: Truth) -> dict[str, float]:
    """Errors, evaluations and seconds; of a method that diverges, nan."""
    try:
        models, evaluations, seconds = sampled(problem)
    except (VIPError, FloatingPointError) as error:
        print(f"    {error}")
        return {key: float("nan") for key in ("mean", "sd", "sd 90%", "sd ratio", "correlation", "evaluations", "seconds")}
    return errors(models, truth) | {"evaluations": evaluations, "seconds": round(seconds, 2)}
