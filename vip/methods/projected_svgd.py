"""SVGD in a subspace."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms import projected_svgd
from vip.methods.base import Particles
from vip.methods.steps import StepMethod
from vip.protocols import Algorithm, Target
from vip.settings import Count, Positive


class ProjectedSVGD(StepMethod):
    """SVGD in the subspace of at most `rank` directions in which the data say more than the prior."""

    needs_prior: ClassVar = True
    papers: ClassVar = ("liu_wang_2016", "chen_ghattas_2020")
    name: Literal["projected-svgd"] = "projected-svgd"
    particles: Particles = 100
    step_size: Positive = 0.1
    rank: Count = 50

    def build(self, target: Target) -> Algorithm:
        """Particles that stay prior samples across the subspace."""
        optimizer = self.make_optimizer()
        return projected_svgd.ProjectedSVGD(self.particles, optimizer, target.log_prior, self.rank, target.project)
