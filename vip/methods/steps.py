"""Step sizes, optimizers, metrics and kernels, made from settings."""

from __future__ import annotations

from typing import Annotated, Literal

import scipy.sparse as sp
from pydantic import Field

from vip.algorithms.local_kernel import neighbourhoods, within
from vip.algorithms.metrics import DIAGONAL, Covariance, Estimator, LowRank
from vip.algorithms.optimizers import OPTIMIZERS, Optimizer, Schedule
from vip.algorithms.stein_kernels import RBF
from vip.methods.base import Method
from vip.protocols import Factorises, Target
from vip.settings import Positive

OptimizerName = Literal["sgd", "adagrad", "adadelta", "adam"]
MetricName = Literal["none", "variance", "gradient", "rmsprop", "covariance", "low-rank"]


class StepMethod(Method):
    """Step size after t iterations: ``step_size / (1 + step_decay t)^step_power``."""

    step_size: Positive = 0.05
    step_decay: Annotated[float, Field(ge=0)] = 0.0
    step_power: Annotated[float, Field(ge=0)] = 1.0
    optimizer: OptimizerName = "adam"

    def make_optimizer(self) -> Optimizer:
        """The optimizer with this step size."""
        return OPTIMIZERS[self.optimizer](Schedule(self.step_size, self.step_decay, self.step_power))


def estimator(name: str, rank: int) -> Estimator:
    """The estimator of a metric by its name."""
    if name == "covariance":
        return Covariance()
    return LowRank(rank) if name == "low-rank" else DIAGONAL[name]


def rbf(bandwidth: float | str, widening: float = 1.0) -> RBF:
    """A global kernel; "median" stands for the median heuristic."""
    return RBF(None if bandwidth == "median" else float(bandwidth), widening)


def neighbours(target: Target, reach: int) -> sp.csr_array:
    """Which entries share a kernel: those of a group where the problem separates into groups, else neighbours on the grid."""
    if isinstance(target.forward, Factorises):
        return within(target.forward.groups)
    return neighbourhoods(target.space, reach)
