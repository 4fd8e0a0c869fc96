"""What the variational methods have in common."""

from __future__ import annotations

from vip.algorithms.advi import ADVI
from vip.algorithms.families import Family
from vip.algorithms.pathfinder import Pathfinder
from vip.methods.base import Natural
from vip.methods.steps import StepMethod
from vip.settings import Count


class VariationalMethod(StepMethod):
    """What is fitted by ascent of the ELBO.

    The step size is halved whenever the ELBO no longer rises, and after so many `halvings` the run ends; with 0 it takes all
    its iterations. `draws` are samples of what was fitted.
    """

    iterations: Count = 5000
    samples_per_step: Count = 2
    draws: Count = 5000
    halvings: Natural = 8

    @property
    def may_be_moved(self) -> bool:
        """No: each iteration draws its models anew."""
        return False

    def fit(self, family: Family, start: Pathfinder | None = None, start_iterations: int = 0) -> ADVI:
        """The algorithm that fits a family."""
        return ADVI(self.samples_per_step, self.make_optimizer(), family, self.halvings, start, start_iterations)
