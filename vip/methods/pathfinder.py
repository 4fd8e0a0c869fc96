"""Gaussians along quasi-Newton paths."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms import pathfinder
from vip.methods.base import Method, Particles
from vip.protocols import Algorithm, Target
from vip.settings import Count


class Pathfinder(Method):
    """Gaussians along quasi-Newton paths, the best of each path; the run ends when all paths have ended."""

    papers: ClassVar = ("zhang_2022",)
    name: Literal["pathfinder"] = "pathfinder"
    paths: Particles = 8
    draws: Count = 5000

    @property
    def rejects(self) -> bool:
        """True: a step that does not raise the log-density is halved."""
        return True

    def build(self, target: Target) -> Algorithm:
        """The algorithm that follows the paths; it is the same for all targets."""
        return pathfinder.Pathfinder(self.paths)
