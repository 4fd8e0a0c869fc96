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
    """Sequential Monte Carlo from prior to posterior by powers of the likelihood, for several modes; gives the evidence.

    It needs no gradient, and suits up to some tens of parameters. Each rise of the power leaves an effective sample size of
    `effective` times the number of particles; then each particle moves `moves` times, after the last rise `last_moves` times.
    The run ends when the power is one, or after `iterations`.
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
        """True: moves are accepted or rejected."""
        return True

    def build(self, target: Target) -> Algorithm:
        """The algorithm, whose particles know likelihood and prior separately."""
        if isinstance(target.forward, IncludesPrior) and target.forward.includes_prior:
            raise ConfigError(
                "algorithm.name", self.name, "needs likelihood and prior apart, and this forward returns their product"
            )
        return tempered.Tempered(self.particles, target.log_prior, self.effective, self.moves, self.last_moves)
