"""The contracts between the rooms of this package, written down once.

Shapes: n particles, d model parameters. `theta` is unconstrained, a `model` is in physical units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LogDensity = Callable[[Floats], tuple[Floats, Floats]]
"""``log_density(theta (n, d)) -> (values (n,), gradients (n, d))``: all that an algorithm sees.

One that is estimated from a few data blocks may have an attribute `gradient_noise` (n, d): numbers of mean zero whose mean
squares are the variances of the gradients that it returned last.
"""


@dataclass(frozen=True)
class Variable:
    """One labelled part of a model vector.

    Parameters
    ----------
    name : str
    units : str
        SI or km and km/s; "1" for a pure number.
    dims : tuple of str
        Names of its axes; empty for a single number.
    coords : mapping of str to array
        Coordinates along each axis.
    long_name : str
        For axis labels.
    coord_units : mapping of str to str
        Units of the coordinates.

    Examples
    --------
    >>> Variable("velocity", "km/s", ("x",), {"x": np.arange(3.0)}).shape
    (3,)
    """

    name: str
    units: str
    dims: tuple[str, ...] = ()
    coords: Mapping[str, Floats] = field(default_factory=dict)
    long_name: str = ""
    coord_units: Mapping[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(self.coords[dim]) for dim in self.dims)

    @property
    def size(self) -> int:
        """Number of entries of the model vector."""
        return int(np.prod(self.shape, dtype=int))


@dataclass(frozen=True)
class ModelSpace:
    """What the entries of a model vector are: variables one after the other.

    Examples
    --------
    >>> space = ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(3.0)}), Variable("log_noise", "1")))
    >>> space.size, space.slices()["log_noise"]
    (4, slice(3, 4, None))
    """

    variables: tuple[Variable, ...]

    @property
    def size(self) -> int:
        """Length of a model vector."""
        return sum(variable.size for variable in self.variables)

    def slices(self) -> dict[str, slice]:
        """Where each variable is in a model vector."""
        ends = np.cumsum([variable.size for variable in self.variables]).tolist()
        return {v.name: slice(end - v.size, end) for v, end in zip(self.variables, ends, strict=True)}

    def unpack(self, models: Floats) -> dict[str, Floats]:
        """Split models (..., d) into arrays (..., *shape) by variable."""
        slices = self.slices()
        return {v.name: models[..., slices[v.name]].reshape(models.shape[:-1] + v.shape) for v in self.variables}


@runtime_checkable
class Forward(Protocol):
    """A forward code with its data: the physics of an inversion.

    A plugin that already returns the log-posterior sets ``includes_prior = True``. Optional abilities are protocols of
    their own: `Simulates`, `UsesThreads`, `Maps`.
    """

    ndim: int
    space: ModelSpace

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Self:
        """Build from the ``[forward]`` table; paths are relative to `base_dir`. Raises `ConfigError`."""

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and its gradient (n, d) of models (n, d) in physical units."""


@runtime_checkable
class Simulates(Protocol):
    """A forward that predicts data. It may also have a `data_label`, what the data are with their unit, for axes."""

    observed: Floats
    """(n_data,)"""
    sigma: Floats
    """(n_data,) standard deviations."""

    def simulate(self, models: Floats) -> Floats:
        """Predicted data (n, n_data) of models (n, d)."""


@runtime_checkable
class WithData(Protocol):
    """A forward that can take other data in the place of its own, as `vip calibrate` needs."""

    def with_observed(self, data: Floats) -> Self:
        """A forward of the same kind that has `data` (n_data,) observed; this one stays as it is."""


@runtime_checkable
class UsesThreads(Protocol):
    """A forward that runs its own threads; its result must not depend on their number."""

    threads: int


@runtime_checkable
class Batches(Protocol):
    """A forward that evaluates `batch` models at the price of one, such as those in the lanes of a SIMD register."""

    batch: int


@runtime_checkable
class ByDifferences(Protocol):
    """A forward whose gradient is by finite differences: each takes `gradient_runs` runs of its code."""

    gradient_runs: int


@runtime_checkable
class DataBlocks(Protocol):
    """A forward whose data are blocks, such as shots, that it can use a few of: ``forward(models, blocks)``.

    The log-likelihood and gradient of some blocks are scaled to all of them, so that their mean over blocks is right.
    """

    n_blocks: int

    def __call__(self, models: Floats, blocks: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), estimated from these blocks."""


@runtime_checkable
class ChecksPrior(Protocol):
    """A forward that cannot use any model, and says before a run if the prior's bounds allow what it cannot use."""

    def check_prior(self, lower: Floats, upper: Floats) -> None:
        """Raise `ConfigError` for bounds (d,) that leave what it can use."""


@runtime_checkable
class HasBounds(Protocol):
    """A forward that knows between which values some of its variables must lie: where no prior is given, theirs is uniform."""

    bounds: Mapping[str, tuple[Floats, Floats]]
    """Lower and upper bounds, of the shape of the variable, by its name."""


@runtime_checkable
class Starts(Protocol):
    """A forward that knows better than the prior where a run should start."""

    def start(self, n: int, rng: np.random.Generator) -> Floats:
        """Models (n, d)."""


@runtime_checkable
class Factorises(Protocol):
    """A forward of many independent problems: given the data, entries of different groups say nothing of each other."""

    groups: NDArray[np.intp]
    """(d,) the group of each entry."""


@runtime_checkable
class Exports(Protocol):
    """A forward whose results have formats of their own, such as catalogues."""

    formats: Mapping[str, str]
    """The suffix of the files of each, by its name."""

    def export(self, models: Floats, name: str, path: Path) -> None:
        """Write samples (n, d) of the posterior in the format of this name."""


@runtime_checkable
class Draws(Protocol):
    """A forward with figures of its own for the report."""

    def pictures(self, models: Floats) -> Iterator[tuple[str, str, str, Any]]:
        """Name, title, caption and matplotlib figure of each, from samples (n, d) of the posterior."""


@runtime_checkable
class HasFacts(Protocol):
    """A forward that has more to say before a run."""

    def facts(self) -> list[tuple[str, str]]:
        """Names and values, for a person."""


@runtime_checkable
class Maps(Protocol):
    """A forward that can say where its data come from, for figures. `stations` are (row, column) coordinates (n, 2)."""

    geographic: bool
    stations: Floats

    def coverage(self, model: Floats) -> Floats:
        """Ray length (km) per node, in the shape of the first variable."""


class Gather(NamedTuple):
    """Traces that are drawn side by side: those of one shot, or of one event."""

    label: str
    data: slice
    """Where they are in the data vector, as (traces, samples)."""
    distance: Floats
    """(traces,) along the section, m."""
    time: Floats
    """(samples,) s."""


@runtime_checkable
class RecordsGathers(Protocol):
    """A forward whose data are waveforms, in gathers."""

    gathers: Sequence[Gather]


@runtime_checkable
class HasWells(Protocol):
    """A forward that says where marginals with depth are wanted: distances (n,) along the section, or None for anywhere."""

    wells: Floats | None


class Prior(Protocol):
    """A prior of one variable or of a whole model vector, in physical units.

    `lower` and `upper` (d,) are the bounds of its support, infinite where there are none.
    """

    lower: Floats
    upper: Floats

    def log_density(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-density (n,) and gradient (n, d)."""

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw n models (n, d)."""


class Info(NamedTuple):
    """What one step of an algorithm tells: for progress and diagnostics."""

    log_density: float
    """Mean over the particles that were evaluated last."""
    step: float
    """Root-mean-square change of theta per entry."""
    more: Mapping[str, float] = MappingProxyType({})
    """What only some algorithms know: "elbo", "acceptance", "step_size"."""


class Algorithm(Protocol):
    """A particle method: pure functions from state to state.

    The state is a NamedTuple of arrays and scalars, so that a checkpoint is the state and nothing else.
    """

    n_particles: int
    """Particles to start from."""
    n_evaluated: int
    """Models evaluated at each step, on average."""
    is_chain: bool
    """Whether the particles of successive steps are samples (sSVGD, MCMC); else only the last state is."""
    rejects: bool
    """Whether it can refuse a model: one whose forward failed then has a log-density of -inf. Such an algorithm compares
    log-densities between iterations, so that these must not be estimated from other data blocks each time."""

    def init(self, theta0: Floats) -> Any:
        """First state from particles (n_particles, d)."""

    def step(self, state: Any, log_density: LogDensity, rng: np.random.Generator) -> tuple[Any, Info]:
        """Next state."""

    def draw(self, state: Any, n: int, rng: np.random.Generator) -> Floats:
        """Samples of the current approximation (m, d): n draws, or the particles where these are all there is."""


@runtime_checkable
class Converges(Protocol):
    """An algorithm that knows when it is done, perhaps before its last iteration."""

    def has_converged(self, state: Any) -> bool:
        """Whether further steps would change nothing that matters."""


@runtime_checkable
class Resamples(Protocol):
    """An algorithm whose particles persist, so that one that failed can take the place of another, with a small jitter."""

    def resample(self, state: Any, failed: Sequence[int], rng: np.random.Generator) -> Any:
        """The state with the failed particles near others, chosen at random."""


class Evaluation(NamedTuple):
    """What the dispatcher brings back for n models."""

    log_likelihood: Floats
    gradient: Floats
    seconds: float
    failures: dict[int, str]


class Dispatcher(Protocol):
    """Who evaluates the particles; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def evaluate(self, models: Floats, blocks: Sequence[int] | None = None) -> Evaluation:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d). A failed particle is named in `failures`.

        `blocks` are the forward's data blocks to use; all without it.
        """
