"""What a run takes from the proposal of a forward: models to start from, and a metric."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vip.errors import ConfigError
from vip.inference.priors import CorrelatedUniform, Gaussian, Joint, Uniform
from vip.inference.transforms import Transform
from vip.protocols import Floats, Forward, ModelSpace, Prior, PriorFacts, Proposal, Proposes


def proposed(forward: Forward, prior: Prior) -> Proposal:
    """The proposal that a forward makes for a prior.

    Raises
    ------
    ConfigError
        If it makes none, or not for this prior or these data.
    """
    if not isinstance(forward, Proposes):
        name = type(forward).__name__
        raise ConfigError("forward", name, "has no network that proposes a posterior: use `vip run` without one")
    return forward.proposal(facts(prior, forward.space))


def facts(prior: Prior, space: ModelSpace) -> dict[str, PriorFacts]:
    """What proposals may know of the prior of each variable, by its name.

    Examples
    --------
    >>> from vip.protocols import Variable
    >>> space = ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(2.0)}), Variable("log_noise", "1")))
    >>> prior = Joint([Uniform(np.ones(2), np.full(2, 3.0)), Gaussian.diagonal(np.zeros(1), np.full(1, 0.5))])
    >>> {name: known.kind for name, known in facts(prior, space).items()}
    {'v': 'uniform', 'log_noise': 'gaussian'}
    """
    parts = prior.parts if isinstance(prior, Joint) else [prior]
    if [len(part.lower) for part in parts] == [variable.size for variable in space.variables]:
        return {variable.name: _facts(part) for variable, part in zip(space.variables, parts, strict=True)}
    whole = _facts(prior)
    return {name: _of_entries(whole, where) for name, where in space.slices().items()}


def _facts(prior: Prior) -> PriorFacts:
    match prior:
        case CorrelatedUniform():
            return PriorFacts("uniform", prior.lower, prior.upper, correlation_length=prior.correlation_length)
        case Uniform():
            return PriorFacts("uniform", prior.lower, prior.upper)
        case Gaussian() if prior.precision.nnz == len(prior.mean):
            return PriorFacts("gaussian", prior.lower, prior.upper, prior.mean, 1 / np.sqrt(prior.precision.diagonal()))
    return PriorFacts("other", prior.lower, prior.upper)


def _of_entries(known: PriorFacts, where: slice) -> PriorFacts:
    """Facts of some entries of a prior that is one for all variables."""
    mean, sd = (x[where] if len(x) else x for x in (known.mean, known.sd))
    return known._replace(lower=known.lower[where], upper=known.upper[where], mean=mean, sd=sd)


class InTheta:
    """A proposal in the coordinates in which algorithms move.

    Parameters
    ----------
    proposal : Proposal
        Proposal in physical units.
    transform : Transform
        Between models and theta.
    """

    def __init__(self, proposal: Proposal, transform: Transform) -> None:
        self.proposal, self.transform = proposal, transform

    @property
    def warnings(self) -> Sequence[str]:
        """Warnings of the proposal."""
        return self.proposal.warnings

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw theta (n, d)."""
        return self.transform.to_theta(self.proposal.sample(n, rng))

    def log_density(self, theta: Floats) -> Floats:
        """Normalised log-density (n,) at theta (n, d)."""
        return self.proposal.log_density(self.transform.to_model(theta)) + self.transform.log_jacobian(theta)[0]
