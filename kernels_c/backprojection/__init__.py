"""Back-projection of picks: where and when an earthquake would explain most of them."""

from vip.kernels_c.backprojection._backprojection import back_project

__all__ = ["back_project"]
