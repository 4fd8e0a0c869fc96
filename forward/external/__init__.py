"""Forward + adjoint programs in any language: each particle is one run of the program."""

from vip.forward.external.plugin import External

__all__ = ["External"]
