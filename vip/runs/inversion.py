"""Running a problem: algorithm, dispatcher, store and loop put together."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from vip.config import DispatchSettings
from vip.errors import ConfigError, StoreError
from vip.inference import loop
from vip.inference.loop import Record
from vip.inference.posterior import Estimated, Posterior
from vip.protocols import (
    Algorithm,
    Converges,
    DataBlocks,
    Dispatcher,
    Floats,
    LogDensity,
    Separates,
    Starts,
    StopsAtOnce,
    Weighs,
)
from vip.rng import Purpose, stream
from vip.runs import engines
from vip.runs.build import build_problem
from vip.runs.memory import Memory
from vip.runs.problem import Problem
from vip.runs.result import Result
from vip.runs.start import separate_start
from vip.runs.status import run_config
from vip.runs.store import Checkpoint, Store, checksum, provenance, unflatten

log = logging.getLogger(__name__)

Tell = Callable[[Record], None]
Stop = Callable[[], bool]

PROBE = 3
"""Number of models at which a run made from objects keeps its log-density, to recognise the objects later."""


def run(
    problem: Problem,
    output: str | Path | None = None,
    overwrite: bool = False,
    tell: Tell = lambda record: None,
    stop: Stop = lambda: False,
    dispatch: DispatchSettings | None = None,
) -> Result:
    """Run the method of a problem.

    Parameters
    ----------
    problem : Problem
    output : path, optional
        Run directory. Without it, that of the configuration, else ``runs/NAME`` beside the configuration file; a problem made
        from objects has none, and its result is in memory.
    overwrite : bool
        Replace a run that is there already.
    tell : callable
        Called with a `Record` after each iteration.
    stop : callable
        Called before each iteration; the run is saved and ends where it returns true. If it has an attribute `at_once` that is
        true, particles that workers are evaluating are given up.
    dispatch : DispatchSettings, optional
        Who evaluates the particles, in place of the problem's own settings. There "auto" means this process: worker processes
        need a script that can be imported, with its work under ``if __name__ == "__main__"``.

    Returns
    -------
    Result

    Raises
    ------
    StoreError
        If the directory cannot be used.
    ForwardError, AlgorithmError
        If the run cannot go on; what was done is saved.
    """
    engines.serve_as_rank(problem, dispatch or problem.dispatch)
    directory = output_directory(problem, output)
    if directory is None:
        with engines.dispatcher(problem, dispatch or problem.dispatch, None, _leave(stop)) as dispatcher:
            memory, _ = run_in_memory(problem, None, tell, stop, dispatcher)
        return Result(memory, problem)
    store = new_store(problem, directory, overwrite)
    with store.lock():
        return _run_from(problem, store, None, tell, stop, dispatch)


def resume(
    run_dir: str | Path,
    tell: Tell = lambda record: None,
    stop: Stop = lambda: False,
    dispatch: DispatchSettings | None = None,
    iterations: int | None = None,
    problem: Problem | None = None,
) -> Result:
    """Continue an interrupted or killed run; it ends with the samples it would have had without the interruption.

    A run that was made from Python objects needs the same `problem` again.

    With `iterations` it goes on to that number in total, even if it had finished: the samples of chains are then those of a run
    that was to do that many from the beginning. The engine that evaluates the particles may be another one, see `run`.

    Raises
    ------
    StoreError
        If there is no run, its inputs have changed since it began, or it has converged and more iterations change nothing.
    ConfigError
        If it has done at least `iterations` already, or is to do more.
    """
    store, given = Store(Path(run_dir)), problem
    problem = load_run(store, given)
    engines.serve_as_rank(problem, dispatch or problem.dispatch)
    with store.lock():
        if iterations is not None:
            _extend(store, iterations, problem)
            problem = load_run(store, given)
        checkpoint = store.checkpoint()
        if checkpoint is not None and checkpoint.status == "finished":
            return Result(store, problem)
        return _run_from(problem, store, checkpoint, tell, stop, dispatch)


def load_run(store: Store, problem: Problem | None = None) -> Problem:
    """The problem of a run directory, from its own copy of the configuration and the data files that it began with.

    For a run that was made from objects, it is the given `problem`.

    Raises
    ------
    StoreError
        If one of the data files has changed or is gone, or the objects are not those of the run.
    """
    if "objects" in store.provenance:
        return _known_again(store, problem)
    for file, expected in store.provenance["inputs"].items():
        path = Path(file)
        if not path.is_file():
            raise StoreError(f"{file}: is gone; {store.path} was made from it")
        if checksum(path) != expected:
            raise StoreError(f"{file}: has changed since {store.path} was begun; restore it or start a new run")
    return build_problem(run_config(store), Path(store.provenance["config"]))


def _known_again(store: Store, problem: Problem | None) -> Problem:
    """The given problem, if it is that of the run, with the iterations that the run was extended to."""
    if problem is None:
        raise StoreError(
            f"{store.path}: was made from Python objects: give the same ones again, as in"
            f" vip.invert(forward, prior, ..., output={str(store.path)!r}, resume=True)"
        )
    expected, found = store.provenance["objects"], _objects(problem)
    for name, value in expected.items():
        same = np.allclose(found[name], value, rtol=1e-9) if name == "log_density" else found[name] == value
        if not same:
            raise StoreError(f"{store.path}: was made from other objects: their {name} was {value}, and is {found[name]}")
    if store.extension is None:
        return problem
    algorithm = problem.config.algorithm.model_copy(update={"iterations": store.extension.iterations})
    return problem.planned(problem.config.model_copy(update={"algorithm": algorithm}))


def _objects(problem: Problem) -> dict[str, Any]:
    """Marks by which the objects of a run are recognised: names, method, and the log-density of models drawn from the prior."""
    models = problem.sample_prior(PROBE, stream(problem.config.seed, 0, Purpose.CHECK))
    method = problem.config.algorithm.model_dump(mode="json")
    value = problem.log_density(problem.transform.to_theta(models)).value
    variables = [[v.name, v.units, list(v.shape)] for v in problem.space.variables]
    return {"seed": problem.config.seed, "variables": variables, "method": method, "log_density": value.tolist()}


def _extend(store: Store, iterations: int, problem: Problem) -> None:
    """Let a run do so many iterations in total."""
    checkpoint = store.checkpoint()
    done, total = checkpoint.iteration if checkpoint else 0, problem.config.algorithm.iterations
    algorithm = problem.build_algorithm()
    if checkpoint is not None and isinstance(algorithm, Converges):
        state = _saved_state(problem, algorithm, checkpoint)
        if algorithm.has_converged(state):
            raise StoreError(f"{store.path}: has converged after {done} iterations, and more of them would change nothing")
    if iterations <= done or iterations < total:
        most = f"it has done {done} already" if iterations <= done else f"it is to do {total} already"
        raise ConfigError("--iterations", iterations, f"{most}; this is the new total, burn-in included: say more")
    if iterations > total:
        store.extend(iterations)


def new_store(problem: Problem, directory: Path, overwrite: bool = False) -> Store:
    """A run directory in which nothing has been done yet.

    Raises
    ------
    StoreError
        If the directory cannot be used.
    """
    if problem.path is None:
        text = "# This run was made from Python objects.\n"
        made_from: dict[str, Any] = {"objects": _objects(problem)}
    else:
        text, made_from = problem.path.read_text(encoding="utf-8"), {"config": str(problem.path.resolve())}
    return Store.create(directory, text, provenance(problem.config.seed, problem.inputs, made_from), overwrite)


def output_directory(problem: Problem, output: str | Path | None = None) -> Path | None:
    """Run directory: `output`, else that of the problem, else ``runs/NAME`` beside its configuration, else None."""
    wanted = output if output is not None else problem.config.run.output
    if problem.path is None:
        return None if wanted is None else Path(wanted)
    return Path(output) if output is not None else problem.path.parent / (wanted or Path("runs") / problem.path.stem)


def run_directory(problem: Problem, output: str | Path | None = None) -> Path:
    """Run directory of a run that must have one.

    Raises
    ------
    ConfigError
        If a problem that was made from objects names none.
    """
    directory = output_directory(problem, output)
    if directory is None:
        raise ConfigError("output", None, "a problem made from Python objects needs one: say output=")
    return directory


def loop_schedule(problem: Problem) -> loop.Schedule:
    """Schedule of the loop: iterations, burn-in, thinning and draws."""
    settings = problem.config.algorithm
    return loop.Schedule(
        settings.iterations, getattr(settings, "burn_in", 0), getattr(settings, "thin", 1), getattr(settings, "draws", 0)
    )


def density_at(problem: Problem, posterior: Posterior) -> Callable[[int], LogDensity]:
    """The log-posterior of an iteration: the whole one, or one estimated from data blocks drawn for the iteration."""
    wanted, seed = problem.config.algorithm.data_blocks, problem.config.seed
    if wanted is None or not isinstance(problem.forward, DataBlocks):
        return lambda iteration: posterior
    n_blocks = problem.forward.n_blocks

    def at(iteration: int) -> LogDensity:
        drawn = stream(seed, iteration, Purpose.BLOCKS).choice(n_blocks, size=wanted, replace=False)
        return Estimated(posterior, drawn.tolist(), n_blocks)

    return at


def steps(problem: Problem, stop: Stop = lambda: False, dispatch: DispatchSettings | None = None) -> Iterator[Record]:
    """The records of a run from its beginning, one per iteration: a plain loop, which may be stopped after any of them.

    Nothing is saved; `Record.samples` are the samples that an iteration adds.
    """
    engines.serve_as_rank(problem, dispatch or problem.dispatch)
    algorithm = problem.build_algorithm()
    with engines.dispatcher(problem, dispatch or problem.dispatch, None, _leave(stop)) as dispatcher:
        state = _first_state(problem, algorithm)
        yield from _records(problem, algorithm, problem.posterior(dispatcher), state, 0, loop_schedule(problem))


def _records(
    problem: Problem, algorithm: Algorithm, posterior: Posterior, state: Any, first: int, schedule: loop.Schedule
) -> Iterator[Record]:
    density, to_model = density_at(problem, posterior), problem.transform.to_model
    resample = problem.config.run.on_failure == "resample"
    return loop.steps(algorithm, density, to_model, state, first, schedule, problem.config.seed, resample)


def _leave(stop: Stop) -> Callable[[bool], bool]:
    """A function that says whether to give up particles in evaluation; it is called with True while there is no worker."""

    def leave(idle: bool) -> bool:
        return stop() if idle else isinstance(stop, StopsAtOnce) and stop.at_once

    return leave


def _run_from(
    problem: Problem, store: Store, checkpoint: Checkpoint | None, tell: Tell, stop: Stop, dispatch: DispatchSettings | None
) -> Result:
    """Run from a checkpoint to the end; without one, from the beginning, since nothing was saved yet."""
    algorithm, first = problem.build_algorithm(), checkpoint.iteration if checkpoint else 0
    settings = dispatch or problem.dispatch
    with _log_file(store.path), engines.dispatcher(problem, settings, store.path, _leave(stop)) as dispatcher:
        store.rewind(first)
        state = _saved_state(problem, algorithm, checkpoint) if checkpoint else _first_state(problem, algorithm)
        log.info("%s: from iteration %d of %d", store.path, first, problem.config.algorithm.iterations)
        records = _records(problem, algorithm, problem.posterior(dispatcher), state, first, loop_schedule(problem))
        seconds = problem.config.run.checkpoint_seconds
        status = loop.follow(records, store, state, first, algorithm.rejects, seconds, tell, stop)
        log.info("%s: %s", store.path, status)
    return Result(store, problem)


def run_in_memory(
    problem: Problem,
    thin: int | None = None,
    tell: Tell = lambda record: None,
    stop: Stop = lambda: False,
    dispatcher: Dispatcher | None = None,
) -> tuple[Memory, str]:
    """Run a problem's method without a run directory, and return what it kept and its status.

    Parameters
    ----------
    problem : Problem
    thin : int, optional
        Thinning in place of the method's own.
    tell, stop : callable
        See `run`.
    dispatcher : Dispatcher, optional
        Who evaluates the particles; this process without it.
    """
    algorithm, schedule, memory = problem.build_algorithm(), loop_schedule(problem), Memory(problem.config.seed)
    schedule = schedule if thin is None else schedule._replace(thin=thin)
    state = _first_state(problem, algorithm)
    posterior = problem.posterior(dispatcher) if dispatcher else problem.log_density
    records = _records(problem, algorithm, posterior, state, 0, schedule)
    try:
        status = loop.follow(records, memory, state, 0, algorithm.rejects, math.inf, tell, stop)
    except KeyboardInterrupt:
        status = "interrupted"
        log.warning("interrupted: the result has what was done")
    return memory, status


def starting_models(problem: Problem, algorithm: Algorithm) -> Floats:
    """Models (n_particles, d) that a run starts from: drawn from the prior, if nothing better is known.

    Algorithms that find the evidence start from the prior, whatever else is known.
    """
    rng = stream(problem.config.seed, 0, Purpose.START)
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        if isinstance(algorithm, Weighs):
            return problem.sample_prior(algorithm.n_particles, rng)
        if problem.config.algorithm.starts_at_proposal:
            return problem.proposal.sample(algorithm.n_particles, rng)
        if isinstance(problem.forward, Separates):
            return separate_start(problem.forward, algorithm.n_particles, rng)
        if isinstance(problem.forward, Starts):
            return problem.forward.start(algorithm.n_particles, rng)
        return problem.sample_prior(algorithm.n_particles, rng)


def _first_state(problem: Problem, algorithm: Algorithm) -> Any:
    """The algorithm's state at the models that a run starts from."""
    return algorithm.init(problem.transform.to_theta(starting_models(problem, algorithm)))


def _saved_state(problem: Problem, algorithm: Algorithm, checkpoint: Checkpoint) -> Any:
    """The state of a checkpoint. It is put into a state of any models: those that a run starts from may take long to make."""
    models = problem.sample_prior(algorithm.n_particles, stream(problem.config.seed, 0, Purpose.START))
    return unflatten(algorithm.init(problem.transform.to_theta(models)), checkpoint.arrays)


@contextmanager
def _log_file(run_dir: Path) -> Iterator[None]:
    """Write messages of this package to the run's log file too, while the context is open."""
    handler = logging.FileHandler(run_dir / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("vip")
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    except Exception as error:
        root.error("%s", error)
        raise
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
