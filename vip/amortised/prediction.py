"""A posterior at once: what the forward of a problem proposes, as a result like that of a run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

from vip.config import Plan
from vip.methods.base import Method
from vip.protocols import Algorithm, Floats, Target
from vip.rng import Purpose, stream
from vip.runs.memory import Memory
from vip.runs.problem import Problem
from vip.runs.result import Result

N_DRAWS = 1000
"""Number of joint samples."""


class Prediction(NamedTuple):
    """Samples of a posterior, and how far they can be relied on."""

    how: Literal["predicted", "reweighted", "sampled"]
    """Draws of the proposal as they are; the same with importance weights; or chains that began at such draws."""
    result: Result
    facts: Mapping[str, str]
    """Names and values for a person to read: numbers of draws, time, and what the correction found."""
    warnings: tuple[str, ...]
    """What makes it doubtful; empty if nothing does."""


class Draws(NamedTuple):
    """State after the draws of a proposal."""

    number: int


class Drawn(Method):
    """Stands for the method of a run where samples are draws of a proposal."""

    name: Literal["network"] = "network"
    iterations: int = 1
    draws: int = N_DRAWS
    papers: ClassVar = ()

    def build(self, target: Target) -> Algorithm:
        """The chains that would start from these draws."""
        from vip.methods import HMC

        return HMC(start="network").build(target)


def predict(problem: Problem, n: int = N_DRAWS) -> Prediction:
    """Draw from what the forward of a problem proposes: the posterior is not evaluated.

    Parameters
    ----------
    problem : Problem
    n : int
        Number of samples.

    Returns
    -------
    Prediction

    Raises
    ------
    ConfigError
        If the forward proposes nothing, or not for this prior or these data.

    Examples
    --------
    Maps of a travel-time tomography::

        prediction = predict(vip.load_problem("tomo2d.toml"))
        prediction.result.mean["velocity"].plot()
    """
    began = time.perf_counter()
    models = problem.proposal.sample(n, stream(problem.config.seed, 0, Purpose.PROPOSE))
    seconds = time.perf_counter() - began
    rows = {"Samples": f"{n:,} draws of the network", "Time": f"{seconds:.2g} s from data to samples"}
    return Prediction("predicted", drawn(problem, models), rows, tuple(problem.proposal.warnings))


def drawn(problem: Problem, models: Floats, log_weights: Floats | None = None) -> Result:
    """A result in memory of draws (n, d) of a proposal, with logarithms (n,) of their weights where these differ."""
    memory = Memory(problem.config.seed)
    memory.append(1, models) if log_weights is None else memory.append(1, models, log_weights)
    memory.commit(1, "finished", Draws(len(models)))
    plan = Plan(seed=problem.config.seed, algorithm=Drawn(draws=len(models)), dispatch=problem.config.dispatch)
    return Result(memory, problem.planned(plan))
