"""How long a step is: a schedule, or what is learnt during burn-in from the acceptance or from the energy error.

A step's log-ratio is ``log p(x') q(x | x') - log p(x) q(x' | x)``: zero if the step left the target exactly as it is.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from vip.algorithms.optimizers import Schedule
from vip.protocols import Floats

MEMORY = 50
"""Iterations over which the energy error is averaged."""


class StepState(NamedTuple):
    """Logarithms of the step to try and of the one to keep after burn-in, a running statistic, and how often it was updated."""

    log_step: float
    log_kept: float
    statistic: float
    updates: int


class StepSize(Protocol):
    """A rule for the step size. Its state changes during burn-in only."""

    learns: bool
    """Whether it wants to be told of steps."""

    def init(self) -> StepState:
        """Before the first step."""

    def size(self, state: StepState, iteration: int, adapting: bool) -> float:
        """The step to take."""

    def update(self, state: StepState, log_ratio: Floats, entries: int) -> StepState:
        """After steps with log-ratios (m,) of `entries` numbers each."""


class Scheduled:
    """Given beforehand."""

    learns = False

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def init(self) -> StepState:
        """There is nothing to learn."""
        return StepState(0.0, 0.0, 0.0, 0)

    def size(self, state: StepState, iteration: int, adapting: bool) -> float:
        """Of the schedule."""
        return self.schedule(iteration)

    def update(self, state: StepState, log_ratio: Floats, entries: int) -> StepState:
        """The same state."""
        return state


class TargetAcceptance:
    """Dual averaging to an acceptance rate (Hoffman & Gelman 2014, eqs. 6 and section 3.2.1).

    Parameters
    ----------
    first : float
        The first step to try.
    target : float
        0.234 for random walks (Roberts et al. 1997), 0.574 for MALA (Roberts & Rosenthal 1998), 0.8 for HMC.
    """

    learns = True
    SHRINKAGE, DELAY, FORGETTING = 0.05, 10, 0.75

    def __init__(self, first: float, target: float) -> None:
        self.first, self.target = first, target

    def init(self) -> StepState:
        """At the first step."""
        return StepState(math.log(self.first), math.log(self.first), 0.0, 0)

    def size(self, state: StepState, iteration: int, adapting: bool) -> float:
        """The step to try, later the averaged one."""
        return math.exp(state.log_step if adapting else state.log_kept)

    def update(self, state: StepState, log_ratio: Floats, entries: int) -> StepState:
        """Eq. 6: longer while too much is accepted."""
        count = state.updates + 1
        missing = self.target - float(np.exp(np.minimum(log_ratio, 0)).mean())
        statistic = state.statistic + (missing - state.statistic) / (count + self.DELAY)
        log_step = math.log(10 * self.first) - math.sqrt(count) / self.SHRINKAGE * statistic
        weight = count**-self.FORGETTING
        return StepState(log_step, weight * log_step + (1 - weight) * state.log_kept, statistic, count)


class TargetError:
    """The largest step whose discretisation inflates variances by no more than asked for, without any rejection.

    A Langevin step of length e on a Gaussian of unit variance leaves a variance of ``1 / (1 - e / 2)``, and its log-ratio has
    the mean square ``e^3 / 2`` an entry. So the mean square over e^3 is a property of the target, which is averaged (its
    logarithm, so that a few outliers do not matter), and the step follows from it; see Robnik et al. (2023) for Hamiltonian
    dynamics.

    Parameters
    ----------
    first : float
        The first step to try.
    inflation : float
        Of variances, relative.
    """

    learns = True
    LOG_CHI2 = -1.2704
    """Mean logarithm of the square of a standard normal number."""

    def __init__(self, first: float, inflation: float) -> None:
        self.first, self.inflation = first, inflation

    def init(self) -> StepState:
        """At the first step."""
        return StepState(math.log(self.first), math.log(self.first), 0.0, 0)

    def size(self, state: StepState, iteration: int, adapting: bool) -> float:
        """The step that the errors so far allow."""
        return math.exp(state.log_step if adapting else state.log_kept)

    def update(self, state: StepState, log_ratio: Floats, entries: int) -> StepState:
        """With the error of one more step; the next is at most twice or half as long."""
        updates = state.updates + 1
        square = np.clip(log_ratio**2, np.finfo(float).tiny, np.finfo(float).max)
        error = float(np.log(square).mean()) - self.LOG_CHI2 - math.log(entries) - 3 * state.log_step
        weight = max(1 / updates, 1 / MEMORY)
        statistic = (1 - weight) * state.statistic + weight * error
        # With e = 2 inflation, the mean square is 4 inflation^3.
        wanted = (math.log(4 * self.inflation**3) - statistic) / 3
        log_step = min(max(wanted, state.log_step - math.log(2)), state.log_step + math.log(2))
        return StepState(log_step, log_step, statistic, updates)
