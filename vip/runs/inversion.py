"""Running a problem: algorithm, dispatcher, store and loop put together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from vip.config import DispatchSettings
from vip.errors import ConfigError, StoreError
from vip.inference import loop as runner
from vip.inference.loop import Progress
from vip.inference.posterior import Estimated, Posterior
from vip.protocols import Algorithm, Converges, DataBlocks, Floats, Info, LogDensity, Separates, Starts, Weighs
from vip.rng import Purpose, stream
from vip.runs import engines
from vip.runs.problem import Problem, build_problem
from vip.runs.result import Result
from vip.runs.start import separate_start
from vip.runs.status import run_config
from vip.runs.store import Checkpoint, Store, checksum, provenance, unflatten

log = logging.getLogger(__name__)

Tell = Callable[[Progress], None]
Stop = Callable[[], bool]


def run(
    problem: Problem,
    output: str | Path | None = None,
    overwrite: bool = False,
    tell: Tell = lambda progress: None,
    stop: Stop = lambda: False,
    dispatch: DispatchSettings | None = None,
) -> Result:
    """Run the algorithm of a problem's configuration.

    Parameters
    ----------
    problem : Problem
    output : path, optional
        Run directory; without it that of the configuration, else ``runs/NAME`` beside the configuration file.
    overwrite : bool
        Replace a run that is there already.
    tell : callable
        Called with a `Progress` after each iteration.
    stop : callable
        Asked before each iteration; the run is saved and ends when it returns true. If it has an attribute `at_once` that is
        true, particles that are being evaluated by workers are given up.
    dispatch : DispatchSettings, optional
        Who evaluates the particles, instead of what the configuration says. Where that is "auto" it is this process: worker
        processes need a script that can be imported, with its work under ``if __name__ == "__main__"``.

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
    store = new_store(problem, output, overwrite)
    with store.lock():
        return _run_from(problem, store, None, tell, stop, dispatch)


def resume(
    run_dir: str | Path,
    tell: Tell = lambda progress: None,
    stop: Stop = lambda: False,
    dispatch: DispatchSettings | None = None,
    iterations: int | None = None,
) -> Result:
    """Continue an interrupted or killed run; it ends with the samples it would have had without the interruption.

    With `iterations` it goes on to so many in total, also where it had finished: the samples of chains are then those of a run
    that was to do so many from the beginning. Who evaluates the particles may be another than before, see `run`.

    Raises
    ------
    StoreError
        If there is no run, its inputs have changed since it began, or it has converged and more iterations change nothing.
    ConfigError
        If it has done, or is to do, more `iterations` already.
    """
    store = Store(Path(run_dir))
    with store.lock():
        if iterations is not None:
            _extend(store, iterations)
        problem, checkpoint = load_run(store), store.checkpoint()
        if checkpoint is not None and checkpoint.status == "finished":
            return Result(store, problem)
        return _run_from(problem, store, checkpoint, tell, stop, dispatch)


def load_run(store: Store) -> Problem:
    """The problem of a run directory: its own copy of the configuration, extended or not, and the data files it began with.

    Raises
    ------
    StoreError
        If one of the data files has changed or is gone.
    """
    for file, expected in store.provenance["inputs"].items():
        path = Path(file)
        if not path.is_file():
            raise StoreError(f"{file}: is gone; {store.path} was made from it")
        if checksum(path) != expected:
            raise StoreError(f"{file}: has changed since {store.path} was begun; restore it or start a new run")
    return build_problem(run_config(store), Path(store.provenance["config"]))


def _extend(store: Store, iterations: int) -> None:
    """Let a run do so many iterations in total."""
    problem, checkpoint = load_run(store), store.checkpoint()
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


def new_store(problem: Problem, output: str | Path | None = None, overwrite: bool = False) -> Store:
    """A run directory in which nothing has been done yet.

    Raises
    ------
    StoreError
        If the directory cannot be used.
    """
    text = problem.path.read_text(encoding="utf-8")
    made_from = provenance(problem.config.seed, problem.path, problem.inputs)
    return Store.create(output_directory(problem, output), text, made_from, overwrite)


def output_directory(problem: Problem, output: str | Path | None = None) -> Path:
    """Where a run goes: `output`, else the configuration's, else ``runs/NAME`` beside the configuration file."""
    if output is not None:
        return Path(output)
    return problem.path.parent / (problem.config.run.output or Path("runs") / problem.path.stem)


def loop_schedule(problem: Problem) -> runner.Schedule:
    """When the loop does what, from the configuration."""
    settings = problem.config.algorithm
    return runner.Schedule(
        settings.iterations,
        getattr(settings, "burn_in", 0),
        getattr(settings, "thin", 1),
        getattr(settings, "draws", 0),
        problem.config.run.checkpoint_seconds,
    )


def density_at(problem: Problem, posterior: Posterior) -> Callable[[int], LogDensity]:
    """The log-posterior of an iteration: the whole, or estimated from data blocks drawn for it."""
    wanted, seed = problem.config.algorithm.data_blocks, problem.config.seed
    if wanted is None or not isinstance(problem.forward, DataBlocks):
        return lambda iteration: posterior
    n_blocks = problem.forward.n_blocks

    def at(iteration: int) -> LogDensity:
        drawn = stream(seed, iteration, Purpose.BLOCKS).choice(n_blocks, size=wanted, replace=False)
        return Estimated(posterior, drawn.tolist(), n_blocks)

    return at


def _run_from(
    problem: Problem, store: Store, checkpoint: Checkpoint | None, tell: Tell, stop: Stop, dispatch: DispatchSettings | None
) -> Result:
    """From a checkpoint to the end; without one from the beginning, which loses nothing that was ever saved."""
    settings, seed = problem.config.algorithm, problem.config.seed
    algorithm = problem.build_algorithm()
    first = checkpoint.iteration if checkpoint else 0

    def leave(idle: bool) -> bool:
        return stop() if idle else bool(getattr(stop, "at_once", False))

    with _log_file(store.path), engines.dispatcher(problem, dispatch or problem.dispatch, store.path, leave) as dispatcher:
        store.rewind(first)
        state = _saved_state(problem, algorithm, checkpoint) if checkpoint else _first_state(problem, algorithm)
        log.info("%s: from iteration %d of %d", store.path, first, settings.iterations)
        density, to_model = density_at(problem, problem.posterior(dispatcher)), problem.transform.to_model
        schedule, resample = loop_schedule(problem), problem.config.run.on_failure == "resample"
        status = runner.run(algorithm, density, to_model, state, first, schedule, seed, store, tell, stop, resample)
        log.info("%s: %s", store.path, status)
    return Result(store, problem)


class Memory:
    """The part of a store that a run needs, for one that leaves nothing behind.

    Attributes
    ----------
    models : list of (n, d) float
        Samples of each iteration that was kept.
    evaluations : int
        Models evaluated so far.
    """

    def __init__(self) -> None:
        self.models: list[Floats] = []
        self.evaluations = 0

    def append(self, iteration: int, models: Floats) -> None:
        """Keep models (n, d)."""
        self.models.append(models)

    def commit(self, iteration: int, status: str, state: Any) -> None:
        """Nothing is saved."""

    def log_metrics(self, iteration: int, info: Info, seconds: float, more: Mapping[str, float]) -> None:
        """Count."""
        self.evaluations += int(more["evaluations"])

    def save_failed(self, iteration: int, models: Floats) -> str:
        """Nothing is saved."""
        return "no file: this run keeps none"


def run_in_memory(problem: Problem, thin: int | None = None, stop: Stop = lambda: False) -> tuple[Memory, str]:
    """Run a problem's algorithm in this process without a run directory; what it kept, and its status.

    `thin` is instead of the configuration's.
    """
    algorithm, schedule, memory = problem.build_algorithm(), loop_schedule(problem), Memory()
    schedule = schedule if thin is None else schedule._replace(thin=thin)
    state, resample = _first_state(problem, algorithm), problem.config.run.on_failure == "resample"
    density, to_model = density_at(problem, problem.log_density), problem.transform.to_model
    status = runner.run(
        algorithm, density, to_model, state, 0, schedule, problem.config.seed, memory, stop=stop, resample=resample
    )
    return memory, status


def starting_models(problem: Problem, algorithm: Algorithm) -> Floats:
    """Models (n_particles, d) that a run starts from: drawn from the prior, if nothing better is known.

    Algorithms that tell the evidence start from the prior, whatever else is known.
    """
    rng = stream(problem.config.seed, 0, Purpose.START)
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        if isinstance(algorithm, Weighs):
            return problem.sample_prior(algorithm.n_particles, rng)
        if isinstance(problem.forward, Separates):
            return separate_start(problem.forward, algorithm.n_particles, rng)
        if isinstance(problem.forward, Starts):
            return problem.forward.start(algorithm.n_particles, rng)
        return problem.sample_prior(algorithm.n_particles, rng)


def _first_state(problem: Problem, algorithm: Algorithm) -> Any:
    """The algorithm's state at the models that a run starts from."""
    return algorithm.init(problem.transform.to_theta(starting_models(problem, algorithm)))


def _saved_state(problem: Problem, algorithm: Algorithm, checkpoint: Checkpoint) -> Any:
    """The state of a checkpoint, put into any state: a forward may take long to make the one that a run starts from."""
    models = problem.sample_prior(algorithm.n_particles, stream(problem.config.seed, 0, Purpose.START))
    return unflatten(algorithm.init(problem.transform.to_theta(models)), checkpoint.arrays)


@contextmanager
def _log_file(run_dir: Path) -> Iterator[None]:
    """Messages of this package go to the run's log file too."""
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
