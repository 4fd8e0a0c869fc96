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
        nothing = np.full(len(models), np.nan), np.full(models.shape, np.nan)
        try:
            log_likelihood, gradient = self._call(models, blocks)
        except ForwardError as error:  # it says itself which particles
            return Evaluation(*nothing, time.perf_counter() - start, error.reasons)
        except Exception as error:  # a user's forward may raise anything
            return Evaluation(*nothing, time.perf_counter() - start, self._failures(models, error))
        failures = _wrong_shape(np.shape(log_likelihood), np.shape(gradient), models.shape)
        return Evaluation(log_likelihood, gradient, time.perf_counter() - start, failures)

    def _call(self, models: Floats, blocks: Sequence[int] | None) -> tuple[Floats, Floats]:
        if blocks is not None and isinstance(self.forward, DataBlocks):
            return self.forward(models, blocks)
        return self.forward(models)

    def _failures(self, models: Floats, error: Exception) -> dict[int, str]:
        """Which particles made the forward raise, found one by one."""
        failures = {}
        for particle in range(len(models)):
            try:
                self.forward(models[particle : particle + 1])
            except Exception as alone:
                failures[particle] = f"{type(alone).__name__}: {alone}"
        return failures or {0: f"only together with the others: {type(error).__name__}: {error}"}


def available_cores() -> int:
    """Cores that this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _wrong_shape(value: tuple[int, ...], gradient: tuple[int, ...], models: tuple[int, ...]) -> dict[int, str]:
    if value == models[:1] and gradient == models:
        return {}
    return {0: f"returned shapes {value} and {gradient}, expected {models[:1]} and {models}"}
