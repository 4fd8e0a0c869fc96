"""Langevin chains with rejection."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms import langevin
from vip.algorithms.step_sizes import TargetAcceptance
from vip.methods.base import Share
from vip.methods.chains import AdjustedMethod
from vip.protocols import Algorithm, Target


class MALA(AdjustedMethod):
    """Metropolis-adjusted Langevin algorithm."""

    papers: ClassVar = ("roberts_tweedie_1996",)
    name: Literal["mala"] = "mala"
    acceptance: Share = 0.574

    def build(self, target: Target) -> Algorithm:
        """Langevin chains, each of which accepts or rejects its own steps."""
        step_size = self.make_step_size(TargetAcceptance(target.space.size ** (-1 / 3), self.acceptance))
        return langevin.MALA(self.particles, step_size, self.make_burn_in(target))
