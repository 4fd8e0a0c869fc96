"""An inverse problem: data, forward code and prior, and what is to be done with them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vip.config import DispatchSettings, Plan
from vip.dispatch.serial import Serial
from vip.inference.posterior import OnFailure, Posterior
from vip.inference.proposed import InTheta, proposed
from vip.inference.transforms import Transform
from vip.protocols import (
    Algorithm,
    Dispatcher,
    FixesEntries,
    Floats,
    Forward,
    IncludesPrior,
    ModelSpace,
    Prior,
    Proposal,
    Simulates,
    Target,
)
from vip.runs.shown import html_table


class Problem:
    """Data, forward code and prior, and what is to be done with them; made from objects or from a configuration file.

    Parameters
    ----------
    forward : Forward
    prior : Prior
        Prior of models in physical units.
    transform : Transform
        Between models and theta, in which algorithms move.
    config : Plan
        Method, seed, who evaluates the particles, and how a run is saved.
    path : Path, optional
        The configuration file, if there is one; relative paths in it start at its folder.
    inputs : sequence of Path
        Files other than the configuration that the posterior depends on.
    build : callable, optional
        Makes the forward anew, in another process; without it the forward itself is sent there.

    Examples
    --------
    A configuration gives a problem, and a problem a result::

        problem = vip.load_problem("tomo2d.toml")
        log_likelihood, gradient = problem.forward(models)
        result = vip.run(problem)
    """

    def __init__(
        self,
        forward: Forward,
        prior: Prior,
        transform: Transform,
        config: Plan,
        path: Path | None = None,
        inputs: Sequence[Path] = (),
        build: Callable[[], Forward] | None = None,
    ) -> None:
        self.forward, self.prior, self.transform, self.config, self.path = forward, prior, transform, config, path
        self.inputs = list(inputs)
        self.build: Callable[[], Forward] = build or functools.partial(_itself, forward)

    def __repr__(self) -> str:
        return f"<vip.Problem {'; '.join(f'{name}: {value}' for name, value in self.rows())}>"

    def _repr_html_(self) -> str:
        return html_table("vip.Problem", self.rows())

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a person to read: the forward, the numbers of parameters and data, and the method."""
        variables = ", ".join(f"{v.name} {list(v.shape) or ''} {v.units}" for v in self.space.variables)
        data = [("data", f"{len(self.forward.sigma):,}")] if isinstance(self.forward, Simulates) else []
        rows = [("forward", type(self.forward).__name__), ("parameters", f"{self.space.size:,} ({variables})"), *data]
        method = self.config.algorithm
        rows.append(("method", f"{method.name}, {method.iterations:,} iterations, seed {self.config.seed}"))
        return [*rows, ("configuration", str(self.path))] if self.path else rows

    @property
    def space(self) -> ModelSpace:
        """Meaning of the entries of a model."""
        return self.forward.space

    @property
    def free_entries(self) -> NDArray[np.bool_]:
        """Whether the value of each entry (d,) of a model is unknown beforehand: statistics are made of these entries."""
        if isinstance(self.forward, FixesEntries):
            return ~self.forward.fixed_nodes
        return np.ones(self.space.size, dtype=bool)

    @property
    def dispatch(self) -> DispatchSettings:
        """Who evaluates the particles; relative paths in a configuration start at its folder."""
        settings, folder = self.config.dispatch, (self.path.parent if self.path else Path()).absolute()
        paths = {key: folder / path for key in ("site", "certificates") if (path := getattr(settings, key)) is not None}
        return settings.model_copy(update=paths)

    @cached_property
    def log_density(self) -> Posterior:
        """Log-posterior ``(theta (n, d)) -> (values (n,), gradients (n, d))`` in unconstrained space, in this process."""
        return self.posterior(Serial(self.forward, self.config.dispatch.threads))

    def posterior(self, dispatcher: Dispatcher) -> Posterior:
        """The log-posterior with its likelihood evaluated by `dispatcher`."""
        includes_prior = isinstance(self.forward, IncludesPrior) and self.forward.includes_prior
        rejects, raises = self.config.algorithm.rejects, self.config.run.on_failure == "raise"
        on_failure: OnFailure = "reject" if rejects else "raise" if raises else "hold"
        return Posterior(self.prior, self.transform, dispatcher, includes_prior, on_failure)

    @property
    def target(self) -> Target:
        """The target that a method is built for."""
        in_theta = functools.partial(_in_theta, self)
        return Target(self.space, self.forward, self.log_density.log_prior, self.transform.project, in_theta)

    @cached_property
    def proposal(self) -> Proposal:
        """What the forward proposes as the posterior, before any model was evaluated.

        Raises
        ------
        ConfigError
            If it makes no proposal, or not for this prior or these data.
        """
        return proposed(self.forward, self.prior)

    def build_algorithm(self) -> Algorithm:
        """The algorithm that the configuration describes."""
        return self.config.algorithm.build(self.target)

    def planned(self, config: Plan) -> Problem:
        """The same problem with another plan: method, seed, engine, and how the run is saved."""
        other = Problem(self.forward, self.prior, self.transform, config, self.path, self.inputs, self.build)
        other.__dict__ |= {name: made for name, made in self.__dict__.items() if name == "proposal"}
        return other

    def sample_prior(self, n: int, rng: np.random.Generator) -> Floats:
        """Models (n, d) drawn from the prior."""
        return self.prior.sample(n, rng)


def _in_theta(problem: Problem) -> Proposal:
    """The proposal of a problem, in the coordinates in which algorithms move."""
    return InTheta(problem.proposal, problem.transform)


def _itself(forward: Forward) -> Forward:
    """A function that makes the forward in another process, to which the forward itself is sent."""
    return forward
