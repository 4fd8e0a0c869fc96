"""What a run asks of a forward code: the contract, and abilities that are protocols of their own.

Each ability is asked for by isinstance; a forward that lacks it simply does not have the attribute. Shapes: n models, d model
parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vip.protocols.space import Floats, ModelSpace


@runtime_checkable
class Forward(Protocol):
    """A forward code with its data: the physics of an inversion.

    Each further ability is a small protocol of its own, here and in `vip.protocols.shown`. The value of a model must not depend
    on the others that it is evaluated with, or samples would depend on the engine.
    """

    space: ModelSpace

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and its gradient (n, d) of models (n, d) in physical units."""


@runtime_checkable
class FromSettings(Protocol):
    """A class of forwards that a configuration can name: a plugin."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Forward:
        """Build from the ``[forward]`` table; paths are relative to `base_dir`. Raises `vip.errors.ConfigError`."""


@runtime_checkable
class HasSettings(Protocol):
    """A plugin that names the pydantic class of its settings, so that an error about a wrong key can list the right ones."""

    settings_class: type[Any]


@runtime_checkable
class IncludesPrior(Protocol):
    """A forward that may return the log-posterior instead of the log-likelihood."""

    includes_prior: bool


@runtime_checkable
class WithoutGradient(Protocol):
    """A forward that may know no gradient: where `has_gradient` is false, the gradients that it returns are zero."""

    has_gradient: bool


@runtime_checkable
class LikelihoodOnly(Protocol):
    """A forward code that gives log-likelihoods and no gradient; `vip.combine` can find the gradient by finite differences."""

    def log_likelihood(self, models: Floats) -> Floats:
        """Log-likelihood (n,) of models (n, d)."""


@runtime_checkable
class Simulates(Protocol):
    """A forward that predicts data."""

    @property
    def observed(self) -> Floats:
        """Observed data (n_data,)."""

    @property
    def sigma(self) -> Floats:
        """Standard deviations (n_data,) of the noise, in the units of the data."""

    def simulate(self, models: Floats) -> Floats:
        """Predicted data (n, n_data) of models (n, d)."""


@runtime_checkable
class Refines(Simulates, Protocol):
    """A forward that computes on a grid, and could do so on a finer one."""

    def excerpt(self) -> Refines | None:
        """The same with a few of the data, enough to tell the error of the grid; None if a finer grid is too large even so."""

    def finer(self, factor: int) -> Simulates:
        """A forward of the same models and data, whose grid is `factor` times as fine."""

    def fineness(self, factor: float) -> str:
        """Setting of a configuration for a grid at least `factor` times as fine as it is, such as "refinement = 4"."""


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
    """A forward whose data come in blocks, such as shots, and that can evaluate a few of them: ``forward(models, blocks)``.

    The log-likelihood and gradient of some blocks are scaled to all of them, so that their mean over blocks is right.
    """

    n_blocks: int

    def __call__(self, models: Floats, blocks: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), estimated from these blocks."""


@runtime_checkable
class ChecksPrior(Protocol):
    """A forward that can use only some models, and says before a run if the prior's bounds allow others."""

    def check_prior(self, lower: Floats, upper: Floats) -> None:
        """Raise `ConfigError` for bounds (d,) that allow models which the forward cannot use."""


@runtime_checkable
class HasBounds(Protocol):
    """A forward that knows bounds of some of its variables: one without a prior gets a uniform prior between its bounds."""

    bounds: Mapping[str, tuple[Floats, Floats]]
    """Lower and upper bounds, of the shape of the variable, by its name."""


@runtime_checkable
class Starts(Protocol):
    """A forward that knows better than the prior where a run should start."""

    def start(self, n: int, rng: np.random.Generator) -> Floats:
        """Models (n, d) to start from."""


@runtime_checkable
class Factorises(Protocol):
    """A forward of many independent problems: given the data, entries of different groups are independent."""

    groups: NDArray[np.intp]
    """Group of each entry (d,)."""


@runtime_checkable
class Separates(Forward, Factorises, HasBounds, Protocol):
    """A forward of independent problems with equally many entries each, which knows the likelihood of each problem.

    `bounds` holds the bounds of all variables. A run starts from samples of each problem's posterior between its bounds.
    """

    def log_likelihood(self, places: Floats, problems: NDArray[np.intp]) -> Floats:
        """Log-likelihoods (n, m) of places (n, m, k) of the problems (m,), finite; k entries in the order of the model."""


@runtime_checkable
class ReadsFiles(Protocol):
    """A forward that was made from files: a run cannot be resumed with other files."""

    inputs: Sequence[Path]


@runtime_checkable
class InfersNoise(Protocol):
    """A forward that may have the noise of its data among its parameters: its `sigma` is then no more than a first guess."""

    unknown_noise: bool


@runtime_checkable
class FixesEntries(Protocol):
    """A forward some of whose entries do not matter, such as nodes outside the region: statistics leave them out."""

    fixed_nodes: NDArray[np.bool_]
    """Whether each entry (d,) is left out."""
