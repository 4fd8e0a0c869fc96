"""Hamiltonian Monte Carlo."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms import hmc
from vip.algorithms.step_sizes import TargetAcceptance
from vip.methods.base import Share
from vip.methods.chains import AdjustedMethod
from vip.protocols import Algorithm, Target
from vip.settings import Count


class HMC(AdjustedMethod):
    """Hamiltonian Monte Carlo with up to `leapfrog_steps` evaluations of each particle in an iteration."""

    papers: ClassVar = ("duane_1987", "neal_2011")
    name: Literal["hmc"] = "hmc"
    iterations: Count = 1000
    acceptance: Share = 0.8
    leapfrog_steps: Count = 20

    def build(self, target: Target) -> Algorithm:
        """Chains whose steps are Hamiltonian trajectories."""
        step_size = self.make_step_size(TargetAcceptance(target.space.size ** (-1 / 4), self.acceptance))
        return hmc.HMC(self.particles, step_size, self.make_burn_in(target), self.leapfrog_steps)
