"""Optimizers, which turn a direction of ascent into a step: SGD, ADAGRAD, ADADELTA and ADAM, with a decaying step size.

Each is a pair of pure functions over a NamedTuple of arrays, so that it lives in an algorithm's state and its checkpoint.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.protocols import Floats


class Schedule(NamedTuple):
    """Step size after t iterations: ``size / (1 + decay t)^power``, which meets Robbins & Monro (1951) for power in (1/2, 1].

    Examples
    --------
    >>> Schedule(0.1, decay=0.01)(0), Schedule(0.1, decay=0.01)(100)
    (0.1, 0.05)
    """

    size: float
    decay: float = 0.0
    power: float = 1.0

    def __call__(self, iteration: int) -> float:
        """Step size of an iteration, counted from 0."""
        return float(self.size / (1 + self.decay * iteration) ** self.power)


class OptimizerState(NamedTuple):
    """Number of iterations so far and two running moments, whose meaning depends on the optimizer."""

    iteration: int
    first: Floats
    second: Floats


class Optimizer:
    """Base of optimizers: a schedule, and moments that start at zero."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def init(self, x: Floats) -> OptimizerState:
        """State before the first step for parameters x."""
        return OptimizerState(0, np.zeros_like(x), np.zeros_like(x))

    def step(self, state: OptimizerState, direction: Floats) -> tuple[OptimizerState, Floats]:
        """New state and the increment to add."""
        first, second, increment = self._moments(state, direction)
        return OptimizerState(state.iteration + 1, first, second), increment

    def _moments(self, state: OptimizerState, direction: Floats) -> tuple[Floats, Floats, Floats]:
        raise NotImplementedError


class SGD(Optimizer):
    """SGD: plain ascent."""

    def init(self, x: Floats) -> OptimizerState:
        """State before the first step; there are no moments."""
        return OptimizerState(0, np.zeros(0), np.zeros(0))

    def _moments(self, state: OptimizerState, direction: Floats) -> tuple[Floats, Floats, Floats]:
        return state.first, state.second, self.schedule(state.iteration) * direction


class AdaGrad(Optimizer):
    """ADAGRAD (Duchi et al. 2011): the direction divided by the root of the sum of its squares."""

    def _moments(self, state: OptimizerState, direction: Floats) -> tuple[Floats, Floats, Floats]:
        second = state.second + direction**2
        return state.first, second, self.schedule(state.iteration) * direction / (np.sqrt(second) + 1e-8)


class AdaDelta(Optimizer):
    """ADADELTA (Zeiler 2012): the step is scaled by the ratio of running root mean squares of increments and directions."""

    def __init__(self, schedule: Schedule, memory: float = 0.95, epsilon: float = 1e-6) -> None:
        super().__init__(schedule)
        self.memory, self.epsilon = memory, epsilon

    def _moments(self, state: OptimizerState, direction: Floats) -> tuple[Floats, Floats, Floats]:
        second = self.memory * state.second + (1 - self.memory) * direction**2
        increment = np.sqrt((state.first + self.epsilon) / (second + self.epsilon)) * direction
        first = self.memory * state.first + (1 - self.memory) * increment**2
        return first, second, self.schedule(state.iteration) * increment


class Adam(Optimizer):
    """ADAM (Kingma & Ba 2014), with bias correction."""

    def __init__(self, schedule: Schedule, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__(schedule)
        self.beta1, self.beta2 = beta1, beta2

    def _moments(self, state: OptimizerState, direction: Floats) -> tuple[Floats, Floats, Floats]:
        first = self.beta1 * state.first + (1 - self.beta1) * direction
        second = self.beta2 * state.second + (1 - self.beta2) * direction**2
        t = state.iteration + 1
        unbiased_first, unbiased_second = first / (1 - self.beta1**t), second / (1 - self.beta2**t)
        return first, second, self.schedule(state.iteration) * unbiased_first / (np.sqrt(unbiased_second) + 1e-8)


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adagrad": AdaGrad, "adadelta": AdaDelta, "adam": Adam}
