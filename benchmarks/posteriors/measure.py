"""Errors of mean, standard deviation and nearest-neighbour correlation of one method on one problem."""

from __future__ import annotations

import time

import numpy as np
from problems import Truth

from vip.errors import VIPError
from vip.protocols import Floats
from vip.runs.inversion import loop_schedule, run_in_memory
from vip.runs.problem import Problem

MOST_SAMPLES = 40_000


def sampled(problem: Problem) -> tuple[Floats, int, float]:
    """Samples (m, d) of a problem's algorithm, evaluations spent, seconds."""
    schedule = loop_schedule(problem)
    kept = (schedule.iterations - schedule.burn_in) * getattr(problem.config.algorithm, "particles", 1)
    start = time.perf_counter()
    memory, _ = run_in_memory(problem, thin=max(1, kept // MOST_SAMPLES))
    return np.concatenate(memory.models), memory.evaluations, time.perf_counter() - start


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
