"""Step sizes, optimizers, metrics and kernels, made from settings."""

from __future__ import annotations

from typing import Annotated, Literal

import scipy.sparse as sp
from pydantic import Field

from vip.algorithms.local_kernel import neighbourhoods, within
from vip.algorithms.metrics import DIAGONAL, Covariance, Estimator, Known, LowRank
from vip.algorithms.optimizers import OPTIMIZERS, Optimizer, Schedule
from vip.algorithms.stein_kernels import RBF
from vip.errors import ConfigError
from vip.methods.base import Method
from vip.protocols import Factorises, Target
from vip.rng import Purpose, stream
from vip.settings import Positive

OptimizerName = Literal["sgd", "adagrad", "adadelta", "adam"]
MetricName = Literal["none", "variance", "gradient", "rmsprop", "covariance", "low-rank", "network"]
Start = Literal["network"]


LARGEST = 3000
"""Largest number of parameters for a network's metric."""
DRAWS, LEAST_DRAWS = 20, 2000
"""Number of draws of a proposal for each parameter, from which its covariance is found, and the least number of all."""


class StepMethod(Method):
    """Step size after t iterations: ``step_size / (1 + step_decay t)^step_power``."""

    step_size: Positive = 0.05
    step_decay: Annotated[float, Field(ge=0)] = 0.0
    step_power: Annotated[float, Field(ge=0)] = 1.0
    optimizer: OptimizerName = "adam"

    def make_optimizer(self) -> Optimizer:
        """The optimizer with this step size."""
        return OPTIMIZERS[self.optimizer](Schedule(self.step_size, self.step_decay, self.step_power))


def estimator(name: str, rank: int, target: Target) -> Estimator:
    """The estimator of a metric by its name.

    Raises
    ------
    ConfigError
        If the metric is that of a network, and there is none for the target.
    """
    if name == "network":
        return _of_network(target)
    if name == "covariance":
        return Covariance()
    return LowRank(rank) if name == "low-rank" else DIAGONAL[name]


def _of_network(target: Target) -> Estimator:
    d = target.space.size
    if target.propose is None:
        raise ConfigError("algorithm.metric", "network", "nothing is proposed for this target: choose another metric")
    if d > LARGEST:
        raise ConfigError("algorithm.metric", "network", f"has d x d numbers, and d is {d:,}: choose 'low-rank'")
    # The same draws for every seed: the metric is a property of the proposal, and no result.
    return Known(target.propose().sample(max(LEAST_DRAWS, DRAWS * d), stream(0, 0, Purpose.PROPOSE)))


def rbf(bandwidth: float | str, widening: float = 1.0) -> RBF:
    """A global kernel; "median" stands for the median heuristic."""
    return RBF(None if bandwidth == "median" else float(bandwidth), widening)


def neighbours(target: Target, reach: int) -> sp.csr_array:
    """Which entries share a kernel: those of a group where the problem separates into groups, else neighbours on the grid."""
    if isinstance(target.forward, Factorises):
        return within(target.forward.groups)
    return neighbourhoods(target.space, reach)
