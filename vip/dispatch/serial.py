"""All particles in this process, with the forward's own threads where it has them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from vip.errors import DispatchError, ForwardError
from vip.protocols import DataBlocks, Evaluation, Floats, Forward, Simulates, Simulation, UsesThreads, WithData


class Serial:
    """A dispatcher that calls the forward once with all models.

    Parameters
    ----------
    forward : Forward
    threads : int
        Number of threads, for a forward that runs its own; 0 means one for each core that this process may use.
    """

    def __init__(self, forward: Forward, threads: int = 0) -> None:
        self.forward = forward
        if isinstance(forward, UsesThreads):
            forward.threads = threads or available_cores()
        self._other: tuple[Floats, Forward] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def evaluate(self, models: Floats, blocks: Sequence[int] | None = None, observed: Floats | None = None) -> Evaluation:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), see `vip.protocols.Dispatcher`."""
        start = time.perf_counter()
        forward = self.forward if observed is None else self._with(observed)
        nothing = np.full(len(models), np.nan), np.full(models.shape, np.nan)
        failures: dict[int, str] = {}
        try:
            values, gradients = _log_likelihood(forward, models, blocks)
        except Exception as error:  # a user's forward may raise anything
            if isinstance(error, ForwardError) and error.others is not None:
                (values, gradients), failures = error.others, error.reasons
            else:
                (values, gradients), failures = _one_by_one(
                    lambda model: _log_likelihood(forward, model, blocks), models, nothing, error
                )
        return Evaluation(values, gradients, time.perf_counter() - start, failures)

    def simulate(self, models: Floats) -> Simulation:
        """Data (n, n_data) that models (n, d) predict.

        Raises
        ------
        DispatchError
            If the forward does not predict data.
        """
        forward, start = self.forward, time.perf_counter()
        if not isinstance(forward, Simulates):
            raise DispatchError(f"{type(forward).__name__}: does not predict data: it has no simulate with observed and sigma")
        failures: dict[int, str] = {}
        try:
            data = _simulated(forward, models)
        except Exception as error:  # a user's forward may raise anything
            nothing = (np.full((len(models), len(forward.observed)), np.nan),)
            (data,), failures = _one_by_one(lambda model: (_simulated(forward, model),), models, nothing, error)
        return Simulation(data, time.perf_counter() - start, failures)

    def _with(self, observed: Floats) -> Forward:
        """The forward with other data; it is kept for the next call, whose data are mostly the same."""
        if self._other is None or not np.array_equal(self._other[0], observed):
            if not isinstance(self.forward, WithData):
                name = type(self.forward).__name__
                raise DispatchError(f"{name}: cannot take other data: it has no with_observed")
            self._other = observed.copy(), self.forward.with_observed(observed)
        return self._other[1]


def _log_likelihood(forward: Forward, models: Floats, blocks: Sequence[int] | None) -> tuple[Floats, Floats]:
    """Log-likelihood (n,) and gradient (n, d); raises if they have other shapes."""
    if blocks is not None and isinstance(forward, DataBlocks):
        values, gradients = forward(models, blocks)
    else:
        values, gradients = forward(models)
    if np.shape(values) != models.shape[:1] or np.shape(gradients) != models.shape:
        shapes = f"{np.shape(values)} and {np.shape(gradients)}, expected {models.shape[:1]} and {models.shape}"
        raise ValueError(f"returned shapes {shapes}")
    return values, gradients


def _simulated(forward: Simulates, models: Floats) -> Floats:
    """Data (n, n_data); raises if they have another shape."""
    data, expected = forward.simulate(models), (len(models), len(forward.observed))
    if np.shape(data) != expected:
        raise ValueError(f"simulate returned shape {np.shape(data)}, expected {expected}")
    return data


def _one_by_one(
    call: Callable[[Floats], tuple[Floats, ...]], models: Floats, nothing: tuple[Floats, ...], error: Exception
) -> tuple[tuple[Floats, ...], dict[int, str]]:
    """Results for the models for which a call succeeds, `nothing` for the others, and why these failed.

    `error` is what the call raised for all models together.
    """
    if len(models) == 1:
        return nothing, {0: _reason(error)}
    failures = {}
    for i in range(len(models)):
        try:
            found = call(models[i : i + 1])
        except Exception as alone:  # a user's forward may raise anything
            failures[i] = _reason(alone)
        else:
            for array, one in zip(nothing, found, strict=True):
                array[i] = one[0]
    return nothing, failures


def _reason(error: Exception) -> str:
    """Why a particle failed when it was evaluated alone."""
    return error.reasons[0] if isinstance(error, ForwardError) else f"{type(error).__name__}: {error}"


def available_cores() -> int:
    """Number of cores that this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
