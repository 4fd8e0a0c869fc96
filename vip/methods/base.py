"""What all methods have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from vip.errors import ConfigError
from vip.protocols import Algorithm, Target
from vip.settings import Count, Settings

Natural = Annotated[int, Field(ge=0)]
Particles = Annotated[int, Field(ge=2)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Method(Settings):
    """Settings of a method, of which every method has `iterations`, the largest number of them that it takes.

    `data_blocks` is the number of blocks of the data, such as shots, that each iteration uses; without it, all are used.
    """

    papers: ClassVar[tuple[str, ...]] = ()
    """BibTeX keys, in ``vip/references.bib``, of the papers to cite for a result of this method."""

    needs_gradient: ClassVar[bool] = True
    """Whether the method asks for gradients of the log-density."""
    needs_prior: ClassVar[bool] = False
    """Whether the method needs the prior and the likelihood separately."""

    name: str = "custom"
    iterations: Count = 1000
    data_blocks: Count | None = None

    @property
    def rejects(self) -> bool:
        """Whether the method compares log-densities between iterations."""
        return False

    @property
    def starts_at_proposal(self) -> bool:
        """Whether a run begins at draws of what the forward proposes as the posterior."""
        return False

    @property
    def may_be_moved(self) -> bool:
        """Whether particles may be moved from outside: reset to hard bounds, or put in the place of others."""
        return not self.rejects

    def build(self, target: Target) -> Algorithm:
        """The algorithm that these settings describe, for a target."""
        raise NotImplementedError

    def with_iterations(self, iterations: int) -> Self:
        """The same method with another number of iterations; settings that follow from it, and were not given, change too."""
        return type(self)(**(self.model_dump(exclude_unset=True) | {"iterations": iterations}))

    @model_validator(mode="after")
    def _whole_data(self) -> Self:
        if self.data_blocks is not None and self.rejects:
            raise ConfigError("data_blocks", self.data_blocks, "this algorithm compares whole log-posteriors; leave it out")
        return self
