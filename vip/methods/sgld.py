"""Stochastic gradient Langevin dynamics."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms import langevin
from vip.algorithms.step_sizes import TargetError
from vip.methods.base import Share
from vip.methods.chains import CAUTION, ChainMethod
from vip.protocols import Algorithm, Target


class SGLD(ChainMethod):
    """Stochastic gradient Langevin dynamics; step_size = "auto" inflates variances by at most the share `inflation`."""

    papers: ClassVar = ("welling_teh_2011",)
    name: Literal["sgld"] = "sgld"
    inflation: Share = 0.05

    def build(self, target: Target) -> Algorithm:
        """Langevin chains without rejection."""
        step_size = self.make_step_size(TargetError(CAUTION * target.space.size ** (-1 / 3), self.inflation))
        return langevin.SGLD(self.particles, step_size, self.make_burn_in(target), target.project)
