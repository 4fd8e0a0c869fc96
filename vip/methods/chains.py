"""What chains have in common."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vip.algorithms.burn_in import BurnIn
from vip.algorithms.optimizers import Adam, Schedule
from vip.algorithms.step_sizes import Scheduled, StepSize
from vip.errors import ConfigError
from vip.methods.base import Method, Natural, Particles
from vip.methods.steps import MetricName, Start, estimator
from vip.protocols import Target
from vip.settings import Count, Positive

CAUTION = 1e-3
"""Ratio of the first step of chains without rejection, which could diverge, to that of chains with rejection."""


class ChainMethod(Method):
    """Settings that all chains share; `iterations` includes burn-in, which is half of them where it is left out.

    In the first `warm_up` iterations of burn-in, particles are optimised, so that chains start where the data are fitted. In
    the rest of burn-in the chains learn what stays constant afterwards: `metric` and, where it is "auto", `step_size`.

    The metric is none, the inverse of the particles' "variance", their mean square "gradient" or its root ("rmsprop"), the
    inverse of their full "covariance" (for up to some hundred parameters), or diagonal plus `rank` directions of curvature
    ("low-rank").

    Where the forward has a network that proposes a posterior, chains may `start` at its draws ("network"), and have the inverse
    of their covariance as a metric that is never learnt ("network").
    """

    iterations: Count = 2000
    particles: Particles = 20
    burn_in: Natural = Field(default=0, json_schema_extra={"default": "half of `iterations`"})
    thin: Count = 1
    warm_up: Natural = 0
    warm_up_step_size: Positive = 0.05
    start: Start | None = None
    metric: MetricName = "gradient"
    rank: Count = 50
    step_size: Positive | Literal["auto"] = "auto"
    step_decay: Annotated[float, Field(ge=0)] = 0.0
    step_power: Annotated[float, Field(ge=0)] = 1.0

    @property
    def starts_at_proposal(self) -> bool:
        """Whether `start` is "network"."""
        return self.start == "network"

    @model_validator(mode="after")
    def _samples_remain(self) -> Self:
        if "burn_in" not in self.model_fields_set:
            # Not by assignment: the settings are frozen, and it stays known that it was not given.
            object.__setattr__(self, "burn_in", self.iterations // 2)
        if self.burn_in >= self.iterations:
            raise ConfigError("burn_in", self.burn_in, f"must be smaller than iterations, which is {self.iterations}")
        if self.warm_up > self.burn_in:
            raise ConfigError("warm_up", self.warm_up, f"is part of burn_in, which is {self.burn_in}")
        if self.step_size == "auto" and self.burn_in == self.warm_up:
            raise ConfigError("burn_in", self.burn_in, "must be longer than warm_up for step_size = 'auto' to be learnt")
        return self

    def make_burn_in(self, target: Target) -> BurnIn:
        """The burn-in for a target, with the metric to learn and the warm-up."""
        warm_up = Adam(Schedule(self.warm_up_step_size))
        return BurnIn(self.burn_in, estimator(self.metric, self.rank, target), self.warm_up, warm_up)

    def make_step_size(self, learnt: StepSize) -> StepSize:
        """The step size that is given, or else the one that is learnt.

        Unless it is given, the first step suits a standard normal distribution.
        """
        if self.step_size == "auto":
            return learnt
        return Scheduled(Schedule(self.step_size, self.step_decay, self.step_power))


class AdjustedMethod(ChainMethod):
    """Chains whose steps are accepted or rejected; step_size = "auto" aims at `acceptance`, the share of accepted steps."""

    @property
    def rejects(self) -> bool:
        """True: the method compares log-densities between iterations."""
        return True
