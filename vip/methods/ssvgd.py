"""Stochastic SVGD."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms import ssvgd
from vip.algorithms.step_sizes import TargetAcceptance, TargetError
from vip.methods.base import Share
from vip.methods.chains import CAUTION, ChainMethod
from vip.methods.steps import rbf
from vip.protocols import Algorithm, Target
from vip.settings import Positive


class SSVGD(ChainMethod):
    """Stochastic SVGD: chains that repel each other.

    With `adjusted`, a step of all particles is accepted or rejected, and step_size = "auto" aims at `acceptance`, the share of
    accepted steps; without it, "auto" inflates variances by at most the share `inflation`.
    """

    papers: ClassVar = ("gallego_insua_2018", "zhang_curtis_2024")
    name: Literal["ssvgd"] = "ssvgd"
    bandwidth: Positive | Literal["median"] = "median"
    adjusted: bool = False
    acceptance: Share = 0.574
    inflation: Share = 0.05

    @property
    def rejects(self) -> bool:
        """Whether steps are accepted or rejected: the setting `adjusted`."""
        return self.adjusted

    def build(self, target: Target) -> Algorithm:
        """Chains that repel each other by a global kernel."""
        first = self.particles * target.space.size ** (-1 / 3)
        by_error, by_acceptance = TargetError(CAUTION * first, self.inflation), TargetAcceptance(first, self.acceptance)
        step_size = self.make_step_size(by_acceptance if self.adjusted else by_error)
        kernel, burn_in = rbf(self.bandwidth), self.make_burn_in(target)
        return ssvgd.SSVGD(self.particles, step_size, kernel, burn_in, self.adjusted, target.project)
