"""Gaussian approximations."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms.families import Family, LowRankGaussian, Triangular
from vip.algorithms.pathfinder import Pathfinder
from vip.methods.base import Particles
from vip.methods.steps import neighbours
from vip.methods.variational import VariationalMethod
from vip.protocols import Algorithm, Target
from vip.settings import Count


class ADVI(VariationalMethod):
    """Automatic differentiation variational inference: a Gaussian.

    `covariance` is diagonal ("mean-field"), full ("full-rank"), diagonal plus `rank` directions ("low-rank"), or one whose
    Cholesky factor couples only nodes at most `reach` apart ("structured"). The fit starts at the prior or, with "pathfinder",
    where that number of `paths` lead within `start_iterations`.
    """

    papers: ClassVar = ("kucukelbir_2017", "roeder_2017")
    name: Literal["advi"] = "advi"
    covariance: Literal["mean-field", "full-rank", "low-rank", "structured"] = "mean-field"
    rank: Count = 20
    reach: Count = 1
    start: Literal["prior", "pathfinder"] = "prior"
    paths: Particles = 4
    start_iterations: Count = 100

    @property
    def rejects(self) -> bool:
        """Whether it starts with Pathfinder, which halves a step that does not raise the log-density."""
        return self.start == "pathfinder"

    def build(self, target: Target) -> Algorithm:
        """The algorithm that fits a Gaussian."""
        start = Pathfinder(self.paths) if self.start == "pathfinder" else None
        return self.fit(self._family(target), start, self.start_iterations)

    def _family(self, target: Target) -> Family:
        match self.covariance:
            case "mean-field":
                return Triangular.mean_field()
            case "full-rank":
                return Triangular.full_rank(target.space.size)
            case "structured":
                return Triangular.between(neighbours(target, self.reach))
            case "low-rank":
                return LowRankGaussian(self.rank)
