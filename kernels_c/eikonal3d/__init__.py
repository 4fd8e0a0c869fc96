"""First-arrival travel times on a 3-D grid, Cartesian or spherical, for one source or many."""

from vip.kernels_c.eikonal3d._eikonal3d import simd_level, solve
from vip.kernels_c.eikonal3d.geometry import Grid

__all__ = ["Grid", "simd_level", "solve"]
