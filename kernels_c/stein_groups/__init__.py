"""The direction of Stein variational gradient descent, with a kernel for each group of entries."""

from vip.kernels_c.stein_groups._stein_groups import direction

__all__ = ["direction"]
