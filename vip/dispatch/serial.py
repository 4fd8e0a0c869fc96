"""All particles in this process, by the forward's own threads where it has them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Self

import numpy as np

from vip.errors import ForwardError
from vip.protocols import DataBlocks, Evaluation, Floats, Forward, UsesThreads


class Serial:
    """Calls the forward once with all models.

    Parameters
    ----------
    forward : Forward
    threads : int
        For a forward that runs its own threads; 0 means one for each core that this process may use.
    """

    def __init__(self, forward: Forward, threads: int = 0) -> None:
        self.forward = forward
        if isinstance(forward, UsesThreads):
            forward.threads = threads or available_cores()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def evaluate(self, models: Floats, blocks: Sequence[int] | None = None) -> Evaluation:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), of some data blocks or all."""
        start = time.perf_counter()
        failures: dict[int, str] = {}
        try:
            values, gradients = self._call(models, blocks)
        except Exception as error:  # a user's forward may raise anything
            if isinstance(error, ForwardError) and error.others is not None:
                (values, gradients), failures = error.others, error.reasons
            elif len(models) == 1:
                values, gradients, failures = np.full(1, np.nan), np.full(models.shape, np.nan), {0: _reason(error)}
            else:
                values, gradients, failures = self._one_by_one(models, blocks)
        return Evaluation(values, gradients, time.perf_counter() - start, failures)

    def _call(self, models: Floats, blocks: Sequence[int] | None) -> tuple[Floats, Floats]:
        if blocks is not None and isinstance(self.forward, DataBlocks):
            values, gradients = self.forward(models, blocks)
        else:
            values, gradients = self.forward(models)
        if np.shape(values) != models.shape[:1] or np.shape(gradients) != models.shape:
            shapes = f"{np.shape(values)} and {np.shape(gradients)}, expected {models.shape[:1]} and {models.shape}"
            raise ValueError(f"returned shapes {shapes}")
        return values, gradients

    def _one_by_one(self, models: Floats, blocks: Sequence[int] | None) -> tuple[Floats, Floats, dict[int, str]]:
        """Values and gradients of the particles that can be evaluated, nan of the others, and what happened to these."""
        values, gradients, failures = np.full(len(models), np.nan), np.full(models.shape, np.nan), {}
        for i in range(len(models)):
            try:
                value, gradient = self._call(models[i : i + 1], blocks)
                values[i], gradients[i] = value[0], gradient[0]
            except Exception as error:
                failures[i] = _reason(error)
        return values, gradients, failures


def _reason(error: Exception) -> str:
    """Why a particle failed that was evaluated alone."""
    return error.reasons[0] if isinstance(error, ForwardError) else f"{type(error).__name__}: {error}"


def available_cores() -> int:
    """Cores that this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
