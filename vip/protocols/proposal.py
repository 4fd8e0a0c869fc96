"""What stands for a posterior before any model was evaluated: draws with a density, such as those of a trained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from vip.protocols.space import Floats


class PriorFacts(NamedTuple):
    """What a proposal may know of the prior of one variable, whose m entries are those of the model."""

    kind: Literal["uniform", "gaussian", "other"]
    """Uniform between bounds at each entry; Gaussian with independent entries; or anything else."""
    lower: Floats
    """Lower bounds (m,) of the support; minus infinity where there are none."""
    upper: Floats
    """Upper bounds (m,)."""
    mean: Floats = np.zeros(0)
    """Means (m,) of a Gaussian prior; empty for another one."""
    sd: Floats = np.zeros(0)
    """Standard deviations (m,) of a Gaussian prior; empty for another one."""
    correlation_length: float = 0.0
    """Correlation length of a uniform prior in km, see `vip.inference.priors.CorrelatedUniform`; 0 for independent entries."""


class Proposal(Protocol):
    """Approximation of a posterior, from which models can be drawn at once."""

    @property
    def warnings(self) -> Sequence[str]:
        """What makes it doubtful, a line each; empty if nothing does."""

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw models (n, d) in physical units."""

    def log_density(self, models: Floats) -> Floats:
        """Normalised log-density (n,) of models (n, d) in physical units; minus infinity outside its support."""


@runtime_checkable
class Proposes(Protocol):
    """A forward that can say at once, from its data and the prior, roughly what the posterior is."""

    def proposal(self, prior: Mapping[str, PriorFacts]) -> Proposal:
        """Approximation of the posterior, given the prior of each variable by its name.

        Raises
        ------
        ConfigError
            If the prior or the data are not what the proposal can be made for.
        """
