"""Stein variational gradient descent."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from vip.algorithms import svgd
from vip.algorithms.local_kernel import LocalRBF, neighbourhoods
from vip.algorithms.stein_kernels import GroupRBF
from vip.errors import ConfigError
from vip.methods.base import Natural, Particles
from vip.methods.steps import MetricName, Start, StepMethod, estimator, rbf
from vip.protocols import Algorithm, Factorises, Target
from vip.settings import Count, Positive


class SVGD(StepMethod):
    """Stein variational gradient descent.

    `metric` scales the particles' coordinates, and `start` says where they begin, see `ChainMethod`. With `kernel` "local" each
    node has a kernel of its own, over nodes at most `reach` apart; where a model holds independent problems, such as
    earthquakes, each problem has one kernel. `widening` multiplies the median heuristic's bandwidth. During `annealing`
    iterations, divided into `cycles`, the pull of the posterior grows from zero.
    """

    papers: ClassVar = ("liu_wang_2016", "zhang_curtis_2020")
    name: Literal["svgd"] = "svgd"
    particles: Particles = 100
    start: Start | None = None
    step_size: Positive = 0.1
    metric: MetricName = "none"
    rank: Count = 50
    kernel: Literal["global", "local"] = "global"
    bandwidth: Positive | Literal["median"] = "median"
    widening: Positive = 1.0
    reach: Count = 1
    annealing: Natural = 0
    cycles: Count = 1

    @property
    def starts_at_proposal(self) -> bool:
        """Whether `start` is "network"."""
        return self.start == "network"

    def build(self, target: Target) -> Algorithm:
        """Particles that repel each other by a kernel."""
        metric, annealing = estimator(self.metric, self.rank, target), svgd.Annealing(self.annealing, self.cycles)
        return svgd.SVGD(self.particles, self.make_optimizer(), self._kernel(target), metric, annealing, target.project)

    def _kernel(self, target: Target) -> svgd.Kernel:
        """The kernel; a local one acts within groups where the problem has groups, else between neighbours on the grid."""
        if self.kernel != "local":
            return rbf(self.bandwidth, self.widening)
        if isinstance(target.forward, Factorises):
            return GroupRBF(target.forward.groups, self.widening)
        return LocalRBF(neighbourhoods(target.space, self.reach), self.widening)

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.kernel == "local" and self.bandwidth != "median":
            raise ConfigError("bandwidth", self.bandwidth, "each local kernel has the median heuristic's: leave it out")
        if self.widening != 1 and self.bandwidth != "median":
            raise ConfigError(
                "widening", self.widening, f"is of the median heuristic: leave it out, or bandwidth = {self.bandwidth}"
            )
        if self.annealing > self.iterations:
            raise ConfigError("annealing", self.annealing, f"must not be larger than iterations, which is {self.iterations}")
        return self
