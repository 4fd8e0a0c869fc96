"""Step sizes: from a schedule, or learnt during burn-in from the acceptance rate or from the energy error.

A step's log-ratio is ``log p(x') q(x | x') - log p(x) q(x' | x)``: zero if the step left the target exactly as it is.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from vip.algorithms.optimizers import Schedule
from vip.protocols import Floats

MEMORY = 50
"""Number of iterations over which the energy error is averaged."""


class StepState(NamedTuple):
    """Logarithms of the step to try and of the one to keep after burn-in, a running statistic, and its number of updates."""

    log_step: float
    log_kept: float
    statistic: float
    updates: int


class StepSize(Protocol):
    """A rule for the step size. Its state changes during burn-in only."""

    learns: bool
    """Whether the rule learns from steps."""

    def init(self) -> StepState:
        """State before the first step."""

    def size(self, state: StepState, iteration: int, adapting: bool) -> float:
        """Step size to take at an iteration."""

    def update(self, state: StepState, log_ratio: Floats, entries: int) -> StepState:
        """State after steps with log-ratios (m,), each of a step of `entries` numbers."""


class Scheduled:
    """A step size that is given beforehand."""

    learns = False

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def init(self) -> StepState:
        """State of a rule that has nothing to learn."""
        return StepState(0.0, 0.0, 0.0, 0)

    def size(self, state: StepState, iteration: int, adapting: bool) -> float:
        """Step size that the schedule gives."""
        return self.schedule(iteration)

    def update(self, state: StepState, log_ratio: Floats, entries: int) -> StepState:
        """The same state."""
        return state


class TargetAcceptance:
    """Dual averaging to an acceptance rate (Hoffman & Gelman 2014, eq. 6 and section 3.2.1).

    Parameters
    ----------
    first : float
        The first step to try.
    target : float
        Acceptance rate: 0.234 for random walks (Roberts et al. 1997), 0.574 for MALA (Roberts & Rosenthal 1998), 0.8 for HMC.
    """

    learns = True
    SHRINKAGE, DELAY, FORGETTING = 0.05, 10, 0.75

    def __init__(self, first: float, target: float) -> None:
        self.first, self.target = first, target

    def init(self) -> StepState:
        """State before the first step, of size `first`."""
        return StepState(math.log(self.first), math.log(self.first), 0.0, 0)

    def size(self, state: StepState, iteration: int, adapting: bool) -> float:
        """Step size: the one to try during burn-in, the averaged one later."""
        return math.exp(state.log_step if adapting else state.log_kept)

    def update(self, state: StepState, log_ratio: Floats, entries: int) -> StepState:
        """State after steps, by eq. 6: a longer step where too many were accepted."""
        count = state.updates + 1
        missing = self.target - float(np.exp(np.minimum(log_ratio, 0)).mean())
        statistic = state.statistic + (missing - state.statistic) / (count + self.DELAY)
        log_step = math.log(10 * self.first) - math.sqrt(count) / self.SHRINKAGE * statistic
        weight = count**-self.FORGETTING
        return StepState(log_step, weight * log_step + (1 - weight) * state.log_kept, statistic, count)


class TargetError:
    """The largest step whose discretisation, without any rejection, inflates variances by no more than `inflation`.

    A Langevin step of length e on a Gaussian of unit variance leaves a variance of ``1 / (1 - e / 2)``, and its log-ratio has
    the mean square ``e^3 / 2`` an entry. So the mean square over e^3 is a property of the target, which is averaged (its
    logarithm, so that a few outliers do not matter), and the step follows from it; see Robnik et al. (2023) for Hamiltonian
    dynamics.

    Parameters
    ----------
    first : float
        The first step to try.
    inflation : float
        Relative inflation of variances.
    """

    learns = True
    LOG_CHI2 = -1.2704
    """Mean logarithm of the square of a standard normal number."""

    def __init__(self, first: float, inflation: float) -> None:
        self.first, self.inflation = first, inflation

    def init(self) -> StepState:
        """State before the first step, of size `first`."""
        return StepState(math.log(self.first), math.log(self.first), 0.0, 0)

    def size(self, state: StepState, iteration: int, adapting: bool) -> float:
        """Step size that the errors so far allow."""
        return math.exp(state.log_step if adapting else state.log_kept)

    def update(self, state: StepState, log_ratio: Floats, entries: int) -> StepState:
        """State with the error of one more step; the next step is at most twice, and at least half, as long."""
        updates = state.updates + 1
        square = np.clip(log_ratio**2, np.finfo(float).tiny, np.finfo(float).max)
        error = float(np.log(square).mean()) - self.LOG_CHI2 - math.log(entries) - 3 * state.log_step
        weight = max(1 / updates, 1 / MEMORY)
        statistic = (1 - weight) * state.statistic + weight * error
        # With e = 2 inflation, the mean square is 4 inflation^3.
        wanted = (math.log(4 * self.inflation**3) - statistic) / 3
        log_step = min(max(wanted, state.log_step - math.log(2)), state.log_step + math.log(2))
        return StepState(log_step, log_step, statistic, updates)
