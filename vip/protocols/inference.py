"""What stands between a forward and samples: priors, the log-density, algorithms, and who evaluates the particles.

Shapes: n particles, d model parameters. `theta` is unconstrained, a `model` is in physical units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np

from vip.protocols.forward import Forward
from vip.protocols.proposal import Proposal
from vip.protocols.space import Floats, ModelSpace


class Evaluated(NamedTuple):
    """Values of a log-density at n particles, with all else that it knows: nothing is read off the log-density afterwards."""

    value: Floats
    """Log-density (n,); -inf for a particle that an algorithm is to reject."""
    gradient: Floats
    """Gradient (n, d); zero where it is not known."""
    noise: Floats = np.zeros((0, 0))
    """Numbers (n, d) of mean zero whose mean squares are the variances of the gradients, where these are estimated from a few
    data blocks; else empty."""
    failures: Mapping[int, str] = MappingProxyType({})
    """Why the forward failed, by the number of the particle."""
    log_likelihood: Floats = np.zeros(0)
    """Log-likelihood (n,), nan for particles that failed; empty where it is not known apart from the prior."""

    def apart(self, log_prior: Floats) -> Floats:
        """Log-likelihood (n,) apart from a log-prior (n,) of the particles; -inf for those that failed.

        It is what the forward said where that is known: a difference of sums would tell equal likelihoods apart by rounding.
        """
        if not self.log_likelihood.size:
            return self.value - log_prior
        return np.where(np.isnan(self.log_likelihood), -np.inf, self.log_likelihood)


LogDensity = Callable[[Floats], Evaluated]
"""``log_density(theta (n, d)) -> Evaluated``: all that an algorithm sees."""


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
    """What one step of an algorithm reports, for progress and diagnostics."""

    log_density: float
    """Mean log-density over the particles that were evaluated last."""
    step: float
    """Root-mean-square change of theta per entry."""
    more: Mapping[str, float] = MappingProxyType({})
    """Numbers that only some algorithms know, by name: "elbo", "acceptance", "step_size"."""


class Algorithm(Protocol):
    """A particle method: pure functions from state to state.

    The state is a NamedTuple of arrays and scalars, so that a checkpoint is the state and nothing else.
    """

    n_particles: int
    """Number of particles to start from."""
    n_evaluated: int
    """Number of models evaluated at each step, on average."""
    is_chain: bool
    """Whether the particles of successive steps are samples (sSVGD, MCMC); else only the last state is."""
    rejects: bool
    """Whether it can refuse a model: one whose forward failed then has a log-density of -inf. Such an algorithm compares
    log-densities between iterations, so that these must not be estimated from other data blocks each time."""

    def init(self, theta0: Floats) -> Any:
        """First state from particles (n_particles, d)."""

    def step(self, state: Any, log_density: LogDensity, rng: np.random.Generator) -> tuple[Any, Info]:
        """The next state, and what the step reports."""

    def draw(self, state: Any, n: int, rng: np.random.Generator) -> Floats:
        """Samples of the current approximation (m, d): n draws, or the particles where these are all there is."""


@runtime_checkable
class Converges(Protocol):
    """An algorithm that knows when it is done, perhaps before its last iteration."""

    def has_converged(self, state: Any) -> bool:
        """Whether further steps would change nothing that matters."""


@runtime_checkable
class Resamples(Protocol):
    """An algorithm whose particles persist, so that one that failed can be put near another that did not."""

    def resample(self, state: Any, failed: Sequence[int], rng: np.random.Generator) -> Any:
        """The state with each failed particle moved near another one, which is chosen at random."""


@runtime_checkable
class Weighs(Protocol):
    """An algorithm whose draws have weights, and that knows the evidence; it starts from draws of the prior."""

    def weights(self, state: Any) -> Floats:
        """Logarithms (n,) of the weights of the draws, normalised or not."""

    def log_evidence(self, state: Any) -> tuple[float, float]:
        """Natural logarithm of the evidence and its standard error, nan where unknown."""


@runtime_checkable
class StopsAtOnce(Protocol):
    """A request to stop that may leave no time to finish an iteration."""

    at_once: bool

    def __call__(self) -> bool:
        """Whether to stop."""


class Evaluation(NamedTuple):
    """Log-likelihoods and gradients of n models, as a dispatcher returns them."""

    log_likelihood: Floats
    """Log-likelihood (n,)."""
    gradient: Floats
    """Gradient (n, d) of the log-likelihood."""
    seconds: float
    """Time that the evaluation took (s)."""
    failures: dict[int, str]
    """Why the forward failed, by the number of the model."""


class Simulation(NamedTuple):
    """Data that n models predict, as a dispatcher returns them."""

    data: Floats
    """Predicted data (n, n_data); nan for models that failed."""
    seconds: float
    """Time that the simulation took (s)."""
    failures: dict[int, str]
    """Why the forward failed, by the number of the model."""


class Dispatcher(Protocol):
    """A context manager that evaluates particles: in this process, or on many workers."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def evaluate(self, models: Floats, blocks: Sequence[int] | None = None, observed: Floats | None = None) -> Evaluation:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d). A failed particle is named in `failures`.

        `blocks` are the forward's data blocks to use; without it, all are used. `observed` (n_data,) are data to use in place
        of the forward's own, see `vip.protocols.WithData`.
        """

    def simulate(self, models: Floats) -> Simulation:
        """Data (n, n_data) that models (n, d) predict, see `vip.protocols.Simulates`."""


class Target(NamedTuple):
    """The target that a method is built for."""

    space: ModelSpace
    forward: Forward
    log_prior: Callable[[Floats], tuple[Floats, Floats]]
    """``log_prior(theta (n, d)) -> (values (n,), gradients (n, d))`` of all but the likelihood."""
    project: Callable[[Floats], Floats]
    """Puts theta (n, d) back between hard bounds."""
    propose: Callable[[], Proposal] | None = None
    """Makes the proposal of the forward, in theta; raises `ConfigError` if there is none."""
