"""Tempered sequential Monte Carlo."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vip.algorithms import tempered
from vip.errors import ConfigError
from vip.methods.base import Method, Share
from vip.protocols import Algorithm, IncludesPrior, Target
from vip.settings import Count


class Tempered(Method):
    """Particles from the prior to the posterior by powers of the likelihood: several modes, and the evidence; no gradient.

    Each step of the power leaves a share `effective` of the particles; after it each moves `moves` times, after the last
    `last_moves` times. It ends when the power is one: `iterations` are a most. For up to some tens of parameters.
    """

    needs_gradient: ClassVar = False
    needs_prior: ClassVar = True
    papers: ClassVar = ("del_moral_2006", "ter_braak_2006", "jasra_2011", "lee_whiteley_2018")
    name: Literal["tempered"] = "tempered"
    particles: Annotated[int, Field(ge=4)] = 1000
    effective: Share = 0.5
    moves: Count = 20
    last_moves: Count = 20

    @property
    def rejects(self) -> bool:
        """Yes."""
        return True

    def build(self, target: Target) -> Algorithm:
        """Particles that see likelihood and prior apart."""
        if isinstance(target.forward, IncludesPrior) and target.forward.includes_prior:
            raise ConfigError(
                "algorithm.name", self.name, "needs likelihood and prior apart, and this forward returns their product"
            )
        return tempered.Tempered(self.particles, target.log_prior, self.effective, self.moves, self.last_moves)
