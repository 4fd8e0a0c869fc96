"""The only loop: start, step, store, checkpoint, tell, stop. Its collaborators are passed in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from vip.errors import ForwardError, Interrupted, VIPError
from vip.protocols import Algorithm, Converges, Floats, Info, LogDensity, Resamples
from vip.rng import Purpose, stream

log = logging.getLogger(__name__)


class Schedule(NamedTuple):
    """When to do what."""

    iterations: int
    burn_in: int = 0
    thin: int = 1
    draws: int = 0
    """Samples to draw from an approximation that is not a chain; 0 where its particles are all there is."""
    checkpoint_seconds: float = 30.0


class Progress(NamedTuple):
    """What a run tells after each iteration."""

    iteration: int
    iterations: int
    info: Info
    seconds: float
    """Of this iteration."""


class Recorder(Protocol):
    """The part of a store that a run needs."""

    def append(self, iteration: int, models: Floats) -> None:
        """Keep models of an iteration until the next commit."""

    def commit(self, iteration: int, status: str, state: Any) -> None:
        """Make all that was kept so far count, with the state to go on from."""

    def log_metrics(self, iteration: int, info: Info, seconds: float, more: Mapping[str, float]) -> None:
        """Record one iteration."""

    def save_failed(self, iteration: int, models: Floats) -> object:
        """Keep models that failed, and say where."""


def run(
    algorithm: Algorithm,
    density_at: Callable[[int], LogDensity],
    to_model: Callable[[Floats], Floats],
    state: Any,
    first: int,
    schedule: Schedule,
    seed: int,
    store: Recorder,
    tell: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    resample: bool = False,
) -> str:
    """Step from iteration `first` to the end, or until `stop` says so.

    `density_at` gives the log-density of an iteration: it may be another one each time, estimated from a few data. With
    `resample`, particles whose forward failed take the places of others.

    Every random number comes from (seed, iteration), and linear algebra runs on one thread, so that a run that was
    interrupted and resumed has the same samples to the last bit.

    Returns
    -------
    str
        "finished" or "interrupted"; either way a checkpoint is saved.

    Raises
    ------
    ForwardError, AlgorithmError
        If a particle fails or the algorithm cannot go on. The state before is saved; so are the models that failed.
    """
    saved = time.monotonic() - 0.9 * schedule.checkpoint_seconds  # the first checkpoint comes early
    status = "finished"
    with threadpool_limits(1, user_api="blas"):
        for iteration in range(first, schedule.iterations):
            if stop():
                status = "interrupted"
                break
            start = time.perf_counter()
            log_density = Watched(density_at(iteration))
            try:
                state_after, info = algorithm.step(state, log_density, stream(seed, iteration, Purpose.STEP))
            except Interrupted:
                status = "interrupted"
                break
            except VIPError as error:
                if isinstance(error, ForwardError):
                    kept = store.save_failed(iteration, to_model(log_density.last))
                    error.saved = f"; iteration {iteration}, its models are in {kept}"
                elif getattr(log_density, "failures", {}):
                    log.warning("%s; iteration %d", ForwardError(log_density.failures), iteration)
                store.commit(iteration, "interrupted", state)
                raise
            failures = getattr(log_density, "failures", {})
            if failures and not algorithm.rejects:
                kept = store.save_failed(iteration, to_model(log_density.last))
                log.warning("%s; iteration %d, its models are in %s", ForwardError(failures), iteration, kept)
                if resample and isinstance(algorithm, Resamples):
                    state_after = algorithm.resample(state_after, sorted(failures), stream(seed, iteration, Purpose.RESAMPLE))
            state, done = state_after, iteration + 1
            if algorithm.is_chain and done > schedule.burn_in and (done - schedule.burn_in) % schedule.thin == 0:
                store.append(done, to_model(algorithm.draw(state, 0, stream(seed, iteration, Purpose.DRAW))))
            seconds = time.perf_counter() - start
            store.log_metrics(done, info, seconds, _more(log_density))
            tell(Progress(done, schedule.iterations, info, seconds))
            if isinstance(algorithm, Converges) and algorithm.has_converged(state):
                iteration = done
                break
            if time.monotonic() - saved > schedule.checkpoint_seconds:
                store.commit(done, "running", state)
                saved = time.monotonic()
        else:
            iteration = schedule.iterations
    if status == "finished" and not algorithm.is_chain:
        store.append(iteration, to_model(algorithm.draw(state, schedule.draws, stream(seed, iteration, Purpose.DRAW))))
    store.commit(iteration, status, state)
    return status


class Watched:
    """A log-density that counts what it is asked for in an iteration, and keeps the last of it; else it is as the one inside.

    Attributes
    ----------
    evaluations : int
        Particles evaluated.
    last : (n, d) float
        Those of the last call.
    """

    def __init__(self, log_density: LogDensity) -> None:
        self._log_density, self.evaluations = log_density, 0
        self.last: Floats = np.zeros((0, 0))

    def __call__(self, theta: Floats) -> tuple[Floats, Floats]:
        """As the one inside."""
        self.last = theta
        self.evaluations += len(theta)
        return self._log_density(theta)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log_density, name)


def _more(log_density: Watched) -> dict[str, float]:
    """What a log-posterior tells of the particles that it evaluated last, and how many there were in all."""
    more: dict[str, float] = {"evaluations": log_density.evaluations}
    if hasattr(log_density, "log_likelihood"):
        more["log_likelihood"] = log_density.log_likelihood
    failures = getattr(log_density, "failures", {})
    return more | ({"failures": len(failures)} if failures else {})
