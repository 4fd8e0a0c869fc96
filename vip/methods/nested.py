"""Nested sampling."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from vip.algorithms import nested
from vip.errors import ConfigError
from vip.methods.base import Method, Share
from vip.protocols import Algorithm, IncludesPrior, Target
from vip.settings import Count

SHARES = 4
"""Number of parts of the live points of which one is replaced at a time, where `batch` is left out."""
MOVES, PER_PARAMETER = 20, 5
"""Least number of moves, and for each parameter, where `moves` is left out: random walks forget their start so slowly."""


class Nested(Method):
    """Nested sampling: live points climb from prior to posterior and give the evidence; for several modes, without a gradient.

    At each turn `batch` of the `particles` live points, by default a quarter, are replaced by the ends of random walks of at
    most `moves` moves, by default 5 for each parameter and 20 at least; an iteration moves all walkers once. The run ends when
    the live points hold at most the share `remaining` of the evidence, or after `iterations`. The error of the log-evidence
    falls with the root of `particles`, and the evaluations grow in proportion to them.
    """

    needs_gradient: ClassVar = False
    needs_prior: ClassVar = True
    papers: ClassVar = ("skilling_2006", "burkoff_2012", "ter_braak_2006", "pelleg_moore_2000", "fowlie_2020")
    name: Literal["nested"] = "nested"
    iterations: Count = 100_000
    particles: Annotated[int, Field(ge=8)] = 500
    batch: Count | None = Field(default=None, json_schema_extra={"default": "a quarter of `particles`"})
    moves: Count | None = Field(default=None, json_schema_extra={"default": "5 for each parameter, at least 20"})
    remaining: Share = nested.REMAINING

    @property
    def rejects(self) -> bool:
        """True: moves are accepted or rejected."""
        return True

    @model_validator(mode="after")
    def _most_stay(self) -> Nested:
        if self.batch is not None and 3 * self.batch > self.particles:
            raise ConfigError("batch", self.batch, f"must not be larger than a third of particles, which is {self.particles}")
        return self

    def build(self, target: Target) -> Algorithm:
        """The algorithm, whose particles know likelihood and prior separately."""
        if isinstance(target.forward, IncludesPrior) and target.forward.includes_prior:
            raise ConfigError(
                "algorithm.name", self.name, "needs likelihood and prior apart, and this forward returns their product"
            )
        batch, d = self.batch or self.particles // SHARES, target.space.size
        if self.particles - 2 * batch <= d:
            remedy = f"must be more than {d + 2 * batch}: the {d} parameters and twice the batch of {batch}"
            raise ConfigError("algorithm.particles", self.particles, remedy)
        moves = self.moves or max(MOVES, PER_PARAMETER * d)
        return nested.Nested(self.particles, target.log_prior, batch, moves, self.remaining)
