"""The only loop, a generator of one record per iteration, and the consumer that keeps what a run leaves behind.

A notebook, a live page and ``vip run`` consume the same records.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from threadpoolctl import ThreadpoolController

from vip.errors import ForwardError, Interrupted, VIPError
from vip.protocols import Algorithm, Converges, Evaluated, Floats, Info, LogDensity, Resamples, Weighs
from vip.rng import Purpose, stream

log = logging.getLogger(__name__)


class Schedule(NamedTuple):
    """Number of iterations, and which of them give samples."""

    iterations: int
    burn_in: int = 0
    thin: int = 1
    draws: int = 0
    """Samples to draw from an approximation that is not a chain; 0 where its particles are all there is."""

    def keeps(self, done: int) -> bool:
        """Whether the particles of a chain are samples after so many iterations."""
        return done > self.burn_in and (done - self.burn_in) % self.thin == 0


class Failed(NamedTuple):
    """Models (n, d) whose forward failed in an iteration, in physical units, and why."""

    models: Floats
    reasons: tuple[str, ...]


class Samples(NamedTuple):
    """Models (n, d) in physical units, and logarithms of their weights (n,), empty where they are equal."""

    models: Floats
    log_weights: Floats = np.zeros(0)


class Record(NamedTuple):
    """Record of one iteration."""

    iteration: int
    """Number of iterations done, this one included."""
    iterations: int
    """Number of iterations that the run is to do."""
    state: Any
    """State of the algorithm, from which the run can go on."""
    info: Info
    seconds: float
    """Time that the iteration took (s)."""
    evaluations: int
    """Number of models evaluated in the iteration."""
    log_likelihood: float
    """Mean log-likelihood over the particles that were evaluated last; nan where it is not known apart from the prior."""
    failed: Failed
    samples: Samples | None
    """Samples that this iteration adds: a chain adds them after burn-in, another method at its last iteration."""
    is_last: bool
    """Whether the run is complete: all iterations are done, or the algorithm has converged."""

    @property
    def more(self) -> dict[str, float]:
        """Numbers for the metrics of a run, beside those of `info`."""
        more: dict[str, float] = {"evaluations": self.evaluations}
        if np.isfinite(self.log_likelihood):
            more["log_likelihood"] = self.log_likelihood
        return more | ({"failures": len(self.failed.reasons)} if self.failed.reasons else {})


class Recorder(Protocol):
    """The part of a store that a run needs."""

    def append(self, iteration: int, models: Floats, log_weights: Floats) -> None:
        """Keep samples of an iteration until the next commit."""

    def commit(self, iteration: int, status: str, state: Any) -> None:
        """Make all that was kept so far count, with the state to go on from."""

    def log_metrics(self, iteration: int, info: Info, seconds: float, more: Mapping[str, float]) -> None:
        """Record one iteration."""

    def save_failed(self, iteration: int, models: Floats) -> object:
        """Keep models that failed, and say where."""


def steps(
    algorithm: Algorithm,
    density_at: Callable[[int], LogDensity],
    to_model: Callable[[Floats], Floats],
    state: Any,
    first: int,
    schedule: Schedule,
    seed: int,
    resample: bool = False,
) -> Iterator[Record]:
    """Run from iteration `first` to the end, one record per iteration; the consumer may stop after any record.

    Every random number comes from (seed, iteration), and linear algebra runs on one thread, so that a run that was
    interrupted and resumed has the same samples to the last bit.

    Parameters
    ----------
    algorithm : Algorithm
    density_at : callable
        Returns the log-density of an iteration, which may change from one to the next: estimated from a few data.
    to_model : callable
        From theta (n, d) to models (n, d).
    state
        State of the algorithm to go on from.
    first : int
        Number of iterations that are done.
    schedule : Schedule
    seed : int
    resample : bool
        Whether particles whose forward failed take the places of others.

    Raises
    ------
    ForwardError, AlgorithmError
        If a particle fails or the algorithm cannot go on. A `ForwardError` then carries the models that were evaluated.
    """
    threads = ThreadpoolController()
    for iteration in range(first, schedule.iterations):
        start = time.perf_counter()
        watched = Watched(density_at(iteration))
        with threads.limit(limits=1, user_api="blas"):
            try:
                state, info = algorithm.step(state, watched, stream(seed, iteration, Purpose.STEP))
            except VIPError as error:
                if isinstance(error, ForwardError):
                    error.models = to_model(watched.last)
                elif watched.failures:
                    log.warning("%s; iteration %d", ForwardError(dict(enumerate(watched.reasons))), iteration)
                raise
            if resample and watched.failures and isinstance(algorithm, Resamples):
                state = algorithm.resample(state, sorted(watched.failures), stream(seed, iteration, Purpose.RESAMPLE))
            failed = Failed(to_model(watched.failed), watched.reasons) if watched.reasons else Failed(watched.failed, ())
            done = iteration + 1
            is_last = done == schedule.iterations or (isinstance(algorithm, Converges) and algorithm.has_converged(state))
            info = _with_evidence(algorithm, state, info) if is_last else info
            samples = _samples(algorithm, to_model, state, done, is_last, schedule, seed)
        seconds = time.perf_counter() - start
        yield Record(
            *(done, schedule.iterations, state, info, seconds, watched.evaluations, watched.log_likelihood),
            *(failed, samples, is_last),
        )
        if is_last:
            return


def _samples(
    algorithm: Algorithm,
    to_model: Callable[[Floats], Floats],
    state: Any,
    done: int,
    is_last: bool,
    schedule: Schedule,
    seed: int,
) -> Samples | None:
    """Samples that an iteration adds, if any."""
    if algorithm.is_chain:
        if not schedule.keeps(done):
            return None
        return Samples(to_model(algorithm.draw(state, 0, stream(seed, done - 1, Purpose.DRAW))))
    if not is_last:
        return None
    models = to_model(algorithm.draw(state, schedule.draws, stream(seed, done, Purpose.DRAW)))
    log_weights = algorithm.weights(state) if isinstance(algorithm, Weighs) else np.zeros(0)
    return Samples(models, log_weights) if log_weights.size and np.ptp(log_weights) else Samples(models)


def _with_evidence(algorithm: Algorithm, state: Any, info: Info) -> Info:
    """What the last step reports, with the evidence where the method finds it."""
    if not isinstance(algorithm, Weighs):
        return info
    value, error = algorithm.log_evidence(state)
    return info._replace(more={**info.more, "log_evidence": value, "log_evidence_error": error})


def follow(
    records: Iterable[Record],
    recorder: Recorder,
    state: Any,
    first: int,
    rejects: bool = False,
    checkpoint_seconds: float = 30.0,
    tell: Callable[[Record], None] = lambda record: None,
    stop: Callable[[], bool] = lambda: False,
) -> str:
    """Keep samples, metrics and failed models of all records, with a checkpoint now and then, until `stop` returns true.

    Parameters
    ----------
    records : iterable of Record
        What `steps` gives from `state` on, after `first` iterations.
    recorder : Recorder
    state, first
        The state that the records begin with, and the iterations that led to it.
    rejects : bool
        Whether a failure of the forward is an ordinary event, see `vip.protocols.Algorithm`; else it is a warning.
    checkpoint_seconds : float
        Time between two checkpoints (s).
    tell : callable
        Called with each record, to report progress.
    stop : callable
        Called before each iteration; the run ends where it returns true.

    Returns
    -------
    str
        "finished" or "interrupted"; either way a checkpoint is saved.

    Raises
    ------
    ForwardError, AlgorithmError
        If the run cannot go on. The state before is saved; so are the models that failed.
    KeyboardInterrupt
        If Ctrl-C was pressed and was not turned into a request to stop; the state before is saved.
    """
    saved = time.monotonic() - 0.9 * checkpoint_seconds  # the first checkpoint comes early
    iteration, remaining, stopped = first, iter(records), stop()
    while not stopped:
        try:  # what the recorder raises is not met here: where it cannot write, nothing more is to be written
            record = next(remaining, None)
        except Interrupted:
            stopped = True
            break
        except (VIPError, KeyboardInterrupt) as error:
            if isinstance(error, ForwardError):
                error.saved = f"; iteration {iteration}, its models are in {recorder.save_failed(iteration, error.models)}"
            recorder.commit(iteration, "interrupted", state)
            raise
        if record is None:
            break
        state, iteration = record.state, record.iteration
        _keep(record, recorder, rejects)
        tell(record)
        if record.is_last:
            break
        stopped = stop()
        if not stopped and time.monotonic() - saved > checkpoint_seconds:
            recorder.commit(iteration, "running", state)
            saved = time.monotonic()
    status = "interrupted" if stopped else "finished"
    recorder.commit(iteration, status, state)
    return status


def _keep(record: Record, recorder: Recorder, rejects: bool) -> None:
    """Hand what an iteration leaves behind to the recorder."""
    if record.failed.reasons:
        before = record.iteration - 1
        kept = recorder.save_failed(before, record.failed.models)
        error = ForwardError(dict(enumerate(record.failed.reasons)))
        log.log(logging.INFO if rejects else logging.WARNING, "%s; iteration %d, its models are in %s", error, before, kept)
    if record.samples is not None:
        recorder.append(record.iteration, *record.samples)
    recorder.log_metrics(record.iteration, record.info, record.seconds, record.more)


class Watched:
    """A log-density that remembers its calls of an iteration: what was evaluated, and what failed.

    Attributes
    ----------
    evaluations : int
        Number of particles evaluated.
    last : (n, d) float
        Particles of the last call.
    failures : dict of int to str
        Particles that failed in the last call, and why.
    log_likelihood : float
        Mean log-likelihood over the particles of the last call, nan where it is not known.
    """

    def __init__(self, log_density: LogDensity) -> None:
        self._log_density, self.evaluations = log_density, 0
        self.last: Floats = np.zeros((0, 0))
        self.failures: Mapping[int, str] = {}
        self.log_likelihood = np.nan
        self._failed: list[tuple[Floats, str]] = []

    def __call__(self, theta: Floats) -> Evaluated:
        """Evaluate the log-density inside, and remember what came of it."""
        self.last = theta
        self.evaluations += len(theta)
        found = self._log_density(theta)
        self.failures = found.failures
        self._failed += [(theta[particle].copy(), reason) for particle, reason in found.failures.items()]
        known = found.log_likelihood[np.isfinite(found.log_likelihood)]
        self.log_likelihood = float(known.mean()) if len(known) else np.nan
        return found

    @property
    def failed(self) -> Floats:
        """Particles (m, d) that failed in any call."""
        return np.array([theta for theta, _ in self._failed]).reshape(len(self._failed), self.last.shape[-1])

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why each particle in `failed` failed."""
        return tuple(reason for _, reason in self._failed)
