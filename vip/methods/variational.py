"""Settings that all variational methods share."""

from __future__ import annotations

from vip.algorithms.advi import ADVI
from vip.algorithms.families import Family
from vip.algorithms.pathfinder import Pathfinder
from vip.methods.base import Natural
from vip.methods.steps import StepMethod
from vip.settings import Count


class VariationalMethod(StepMethod):
    """Settings of a family of distributions that is fitted by ascent of the evidence lower bound (ELBO).

    The step size is halved whenever the ELBO no longer rises, and after that number of `halvings` the run ends; with 0 it takes
    all its iterations. `draws` is the number of samples drawn from the fitted distribution.
    """

    iterations: Count = 5000
    samples_per_step: Count = 2
    draws: Count = 5000
    halvings: Natural = 8

    @property
    def may_be_moved(self) -> bool:
        """False: each iteration draws its models anew."""
        return False

    def fit(self, family: Family, start: Pathfinder | None = None, start_iterations: int = 0) -> ADVI:
        """The algorithm that fits a family."""
        return ADVI(self.samples_per_step, self.make_optimizer(), family, self.halvings, start, start_iterations)
