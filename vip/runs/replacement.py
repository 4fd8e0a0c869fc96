"""Another prior after a run, without the forward (Zhao & Curtis 2024, "Variational prior replacement").

The distribution that a variational run found, divided by the prior that it used, is the likelihood as far as the run knows it.
So it can stand for the forward of a new run with another prior and any algorithm: ``plugin = "run"`` in ``[forward]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from vip.algorithms import ADVI
from vip.errors import ConfigError, StoreError
from vip.protocols import Floats, lend
from vip.runs.citation import papers
from vip.runs.inversion import load_run
from vip.runs.problem import Problem
from vip.runs.store import Store, unflatten


class RunLikelihood:
    """The likelihood that a finished run of ADVI or a flow stands for, up to a constant.

    Parameters
    ----------
    problem : Problem
        Problem of that run.
    algorithm : ADVI
    state : ADVIState
        Last state of that run.
    inputs : list of Path
        Files that the likelihood depends on.
    """

    def __init__(self, problem: Problem, algorithm: ADVI, state: Any, inputs: list[Path]) -> None:
        self.problem, self.family, self.parameters, self.inputs = problem, algorithm.family, state.parameters, inputs
        self.space = problem.space
        self.ndim = self.space.size
        self.papers = ("zhao_curtis_2024", *papers(problem))
        lend(problem.forward, self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Self:
        """Build from the run directory that the key ``run`` names.

        Raises
        ------
        ConfigError
            If it is not a finished run of a variational algorithm.
        """
        unknown = set(settings) - {"run"}
        if unknown or not isinstance(settings.get("run"), str):
            raise ConfigError("run", settings.get("run", ""), "give the directory of a finished run, and no other key")
        run_dir = base_dir / settings["run"]
        try:
            store = Store(run_dir)
            problem, checkpoint = load_run(store), store.checkpoint()
        except StoreError as error:
            raise ConfigError("run", run_dir, str(error)) from error
        algorithm = problem.build_algorithm()
        if not isinstance(algorithm, ADVI):
            name = problem.config.algorithm.name
            raise ConfigError("run", run_dir, f"is a run of {name}; a density is known of advi and flow only")
        if checkpoint is None or checkpoint.status != "finished":
            raise ConfigError("run", run_dir, f"is not finished; `vip resume {run_dir}` goes on")
        template = algorithm.init(np.random.default_rng(0).standard_normal((algorithm.n_particles, problem.space.size)))
        state = unflatten(template, checkpoint.arrays)
        return cls(problem, algorithm, state, [run_dir / "checkpoint.h5", run_dir / "config.toml"])

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d): log-density of the fitted distribution, less that of the prior."""
        transform = self.problem.transform
        theta = transform.to_theta(models)
        of_prior, prior_gradient = self.problem.log_density.log_prior(theta)
        of_run, run_gradient = self.family.density(self.parameters, theta, self.family.noise(self.parameters, theta))
        return of_run - of_prior, transform.push(theta, run_gradient - prior_gradient)

    def check_prior(self, lower: Floats, upper: Floats) -> None:
        """Raise `ConfigError` for bounds (d,) beyond those of the run, which knows nothing there."""
        old = self.problem.prior
        outside = np.flatnonzero((lower < old.lower) | (upper > old.upper))
        if len(outside):
            i = int(outside[0])
            bounds = f"{lower[i]:g} to {upper[i]:g}"
            raise ConfigError("prior", bounds, f"the run had {old.lower[i]:g} to {old.upper[i]:g}; a new prior must lie within")
