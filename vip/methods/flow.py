"""Normalising flows."""

from __future__ import annotations

from typing import ClassVar, Literal

from vip.algorithms import flow
from vip.methods.variational import VariationalMethod
from vip.protocols import Algorithm, Target
from vip.settings import Count, Positive


class Flow(VariationalMethod):
    """A normalising flow of spline couplings, for up to a few hundred parameters; needs the extra "neural"."""

    papers: ClassVar = ("durkan_2019", "zhao_2022")
    name: Literal["flow"] = "flow"
    step_size: Positive = 0.005
    transforms: Count = 3
    hidden: Count = 64

    def build(self, target: Target) -> Algorithm:
        """The algorithm that fits a flow."""
        return self.fit(flow.Flow(target.space.size, self.transforms, self.hidden))
