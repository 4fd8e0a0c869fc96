"""Random walks."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms import metropolis
from vip.algorithms.step_sizes import TargetAcceptance
from vip.methods.base import Share
from vip.methods.chains import AdjustedMethod
from vip.methods.steps import MetricName
from vip.protocols import Algorithm, Target
from vip.settings import Count


class Metropolis(AdjustedMethod):
    """Adaptive random-walk Metropolis-Hastings, for a few parameters."""

    needs_gradient: ClassVar = False
    papers: ClassVar = ("haario_2001",)
    name: Literal["metropolis"] = "metropolis"
    iterations: Count = 10_000
    acceptance: Share = 0.234
    metric: MetricName = "covariance"

    def build(self, target: Target) -> Algorithm:
        """Chains that need no gradient."""
        step_size = self.make_step_size(TargetAcceptance(2.38 / target.space.size**0.5, self.acceptance))
        return metropolis.Metropolis(self.particles, step_size, self.make_burn_in(target))
