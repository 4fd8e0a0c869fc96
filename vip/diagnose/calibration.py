"""Simulation-based calibration: whether a forward, a prior and an algorithm together give the posterior.

A truth is drawn from the prior, data are simulated from it, and the algorithm is run on them, many times. Truth and posterior
samples then come from one distribution, so that the rank of the truth among independent samples is uniform (Talts, Betancourt,
Simpson, Vehtari & Gelman 2018, theorem 1). So is the rank of the log-likelihood, which finds faults that parameters alone may
not show (Modrak, Moon, Kim, Buerkner, Huurre, Faltejskova, Gelman & Vehtari 2023).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

from vip.config import DispatchSettings
from vip.errors import ConfigError, ForwardError, StoreError
from vip.protocols import Dispatcher, Evaluation, Floats, IncludesPrior, InfersNoise, Simulates, Simulation, WithData
from vip.rng import Purpose, stream
from vip.runs import engines
from vip.runs.inversion import run_in_memory
from vip.runs.problem import Problem
from vip.runs.result import Result
from vip.runs.store import checksum

RANKS = 64
"""Largest number of ranks that a truth can have: one more than the samples it is compared with, and a power of two."""
FEW_PARAMETERS = 10
"""Number of parameters up to which each is ranked; with more, the mean and some entries of each variable are."""
N_ENTRIES = 3
"""Number of entries that are ranked in a large variable."""
EXPECTED = 5
"""Least number of truths that a bin of the histogram should expect, for the chi-square test."""
MAX_BINS = 16
SIGNIFICANCE = 0.01
"""Significance level of the test of all quantities together."""
LOG_LIKELIHOOD = "log-likelihood"

Ranks = dict[str, int]


class Calibration(NamedTuple):
    """Ranks (replicates,) of true values among `n_ranks` - 1 samples, by quantity."""

    ranks: dict[str, NDArray[np.int64]]
    n_ranks: int

    @property
    def n_bins(self) -> int:
        """Number of bins of equal size, a power of two, such that each can expect some truths."""
        replicates = len(next(iter(self.ranks.values())))
        return min(_power_of_two(max(2, replicates // EXPECTED)), MAX_BINS, self.n_ranks)

    def counts(self, name: str) -> NDArray[np.int64]:
        """Number of truths (bins,) of a quantity in each bin."""
        return np.bincount(self.ranks[name] * self.n_bins // self.n_ranks, minlength=self.n_bins)

    def p_value(self, name: str) -> float:
        """P-value of the chi-square test that a quantity's ranks are uniform."""
        return float(chisquare(self.counts(name)).pvalue)

    def below(self, name: str) -> Floats:
        """Share (replicates,) of a quantity's samples that are below the truth."""
        return (self.ranks[name] + 0.5) / self.n_ranks

    @property
    def parameters(self) -> list[str]:
        """Names of the quantities that belong to the model, for which there are intervals."""
        return [name for name in self.ranks if name != LOG_LIKELIHOOD]

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong, in words, with each quantity whose ranks are not uniform, by Bonferroni's bound for all together."""
        bad = [name for name in self.ranks if self.p_value(name) < SIGNIFICANCE / len(self.ranks)]
        return {name: _fault(self.below(name)) for name in bad}

    def __str__(self) -> str:
        replicates = len(next(iter(self.ranks.values())))
        smallest = min(self.p_value(name) for name in self.ranks)
        made = f"{replicates} replicates, {len(self.ranks)} quantities, smallest p-value {smallest:.2g}"
        if not self.faults:
            return f"calibrated, as far as {made} can tell"
        return f"not calibrated: {'; '.join(f'{name}: {fault}' for name, fault in self.faults.items())} ({made})"


def calibrate(
    problem: Problem,
    replicates: int,
    output: Path,
    tell: Callable[[int], None] = lambda replicate: None,
    stop: Callable[[], bool] = lambda: False,
    dispatch: DispatchSettings | None = None,
) -> Calibration | None:
    """Run the configured algorithm on data simulated from `replicates` models of the prior.

    Noise is Gaussian with the forward's sigma. Replicates that `output` has are not made again.

    Parameters
    ----------
    problem : Problem
    replicates : int
    output : path
        Folder whose ``ranks.jsonl`` gets a line for each replicate.
    tell : callable
        Called with the number of each replicate that is done.
    stop : callable
        Called before each iteration; the runs end where it returns true, and finished replicates are kept.
    dispatch : DispatchSettings, optional
        Who simulates and evaluates; this process without it. The ranks do not depend on it.

    Returns
    -------
    Calibration or None
        None if it was stopped before all were done.

    Raises
    ------
    ConfigError
        If the forward cannot predict data, or cannot take other data in place of its own.
    StoreError
        If `output` holds ranks of another configuration or of other data.
    """
    settings = dispatch or DispatchSettings(kind="serial")
    engines.serve_as_rank(problem, settings)
    _check(problem)
    done = _begun(problem, output)
    with engines.dispatcher(problem, settings, output) as dispatcher:
        for replicate in range(len(done), replicates):
            ranks = replicate_ranks(problem, replicate, stop, dispatcher)
            if ranks is None:
                return None
            done.append(ranks)
            with (output / "ranks.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(ranks) + "\n")
            tell(replicate + 1)
    names = [name for name in done[0] if name != "ranks"]
    ranks_of = {name: np.array([line[name] for line in done[:replicates]]) for name in names}
    return Calibration(ranks_of, min(line["ranks"] for line in done))


def replicate_ranks(problem: Problem, replicate: int, stop: Callable[[], bool], dispatcher: Dispatcher) -> Ranks | None:
    """Ranks of one truth's quantities, and as "ranks" the number of ranks that are possible; None if it was stopped.

    All random numbers follow from (seed, replicate).
    """
    rng = stream(problem.config.seed, replicate, Purpose.REPLICATE)
    truth = problem.sample_prior(1, rng)
    observing = Observing(dispatcher, _data_of(problem, truth, rng, dispatcher))
    config = problem.config.model_copy(update={"seed": int(rng.integers(2**63))})
    forward: Any = problem.forward
    changed = Problem(forward.with_observed(observing.observed), problem.prior, problem.transform, config, problem.path)
    memory, status = run_in_memory(changed, stop=stop, dispatcher=observing)
    if status != "finished":
        return None
    samples = Result(memory, changed).equal().astype(np.float64)
    n_ranks = min(RANKS, _power_of_two(len(samples) + 1))
    chosen = samples[np.linspace(0, len(samples) - 1, n_ranks - 1).astype(int)]
    of_truth, of_samples = _quantities(problem, truth, observing), _quantities(problem, chosen, observing)
    return {name: int(np.sum(values < of_truth[name])) for name, values in of_samples.items()} | {"ranks": n_ranks}


def _check(problem: Problem) -> None:
    """Raise `ConfigError` for a problem whose data cannot be simulated."""
    forward, plugin = problem.forward, type(problem.forward).__name__
    if not isinstance(forward, Simulates) or not isinstance(forward, WithData):
        raise ConfigError("forward.plugin", plugin, "calibration needs simulate and with_observed, see vip.protocols.WithData")
    if isinstance(forward, IncludesPrior) and forward.includes_prior:
        raise ConfigError("forward.plugin", plugin, "it includes a prior of its own, and truths are drawn from [prior]")
    if isinstance(forward, InfersNoise) and forward.unknown_noise:
        raise ConfigError("forward.unknown_noise", True, "calibration simulates noise of the given sigma: set it to false")


def _data_of(problem: Problem, truth: Floats, rng: np.random.Generator, dispatcher: Dispatcher) -> Floats:
    """Data (n_data,) simulated from a truth (1, d), with noise.

    Raises
    ------
    ForwardError
        If the forward fails at it.
    """
    simulation, forward = dispatcher.simulate(truth), problem.forward
    if simulation.failures:
        raise ForwardError(simulation.failures)
    data: Floats = simulation.data[0]
    return data + forward.sigma * rng.standard_normal(len(data)) if isinstance(forward, Simulates) else data


class Observing:
    """A dispatcher whose forwards have other data observed.

    Parameters
    ----------
    dispatcher : Dispatcher
        The caller enters and leaves it.
    observed : (n_data,) float
    """

    def __init__(self, dispatcher: Dispatcher, observed: Floats) -> None:
        self.dispatcher, self.observed = dispatcher, observed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def evaluate(self, models: Floats, blocks: Sequence[int] | None = None, observed: Floats | None = None) -> Evaluation:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), given the other data."""
        return self.dispatcher.evaluate(models, blocks, self.observed)

    def simulate(self, models: Floats) -> Simulation:
        """Data (n, n_data) that models (n, d) predict."""
        return self.dispatcher.simulate(models)


def _quantities(problem: Problem, models: Floats, dispatcher: Dispatcher) -> dict[str, Floats]:
    """Numbers (n,) by name of models (n, d), of which ranks are taken."""
    fixed = ~problem.free_entries
    found, places = {}, problem.space.slices()
    for variable in problem.space.variables:
        values = models[:, places[variable.name]]
        free = np.flatnonzero(~fixed[places[variable.name]])
        if len(free) == 1:
            found[variable.name] = values[:, free[0]]
            continue
        if problem.space.size > FEW_PARAMETERS and len(free):
            found[f"mean {variable.name}"] = values[:, free].mean(axis=1)
            free = free[np.linspace(0, len(free) - 1, N_ENTRIES + 2).astype(int)[1:-1]]
        found |= {f"{variable.name}[{i}]": values[:, i] for i in free.tolist()}
    found[LOG_LIKELIHOOD] = dispatcher.evaluate(models).log_likelihood
    return found


def _begun(problem: Problem, output: Path) -> list[Ranks]:
    """Ranks of the replicates that are there already, for the same configuration and data."""
    made_from = {str(path.resolve()): checksum(path) for path in [*([problem.path] if problem.path else []), *problem.inputs]}
    output.mkdir(parents=True, exist_ok=True)
    made, ranks = output / "calibration.json", output / "ranks.jsonl"
    if not made.is_file():
        if any(output.iterdir()):
            raise StoreError(f"{output}: is not empty and holds no calibration; choose another --output")
        made.write_text(json.dumps(made_from, indent=2), encoding="utf-8")
    if json.loads(made.read_text(encoding="utf-8")) != made_from:
        raise StoreError(f"{output}: holds replicates of another configuration or other data; choose another --output")
    whole = ranks.read_text(encoding="utf-8").split("\n")[:-1] if ranks.is_file() else []  # a last line may be cut off
    ranks.write_text("".join(line + "\n" for line in whole), encoding="utf-8")
    return [json.loads(line) for line in whole]


def _power_of_two(most: int) -> int:
    """The largest power of two that is not larger than `most`."""
    return 1 << most.bit_length() - 1


def _fault(below: Floats) -> str:
    """In words, how shares of samples below the truth differ from uniform ones: in mean or spread, whichever is further off."""
    n = len(below)
    off = (below.mean() - 0.5) * np.sqrt(12 * n)
    wide = (below.var() - 1 / 12) * np.sqrt(180 * n)
    if abs(wide) > abs(off):
        return "the samples are too narrow" if wide > 0 else "the samples are too wide"
    return "the samples are too low" if off > 0 else "the samples are too high"
