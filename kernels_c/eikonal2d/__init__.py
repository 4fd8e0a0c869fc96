"""Travel times on a 2-D grid for many velocity models at once, and the exact gradient of their misfit."""

from vip.kernels_c.eikonal2d._eikonal2d import Plan, simd_level, time_field, travel_times
from vip.kernels_c.eikonal2d.geometry import Grid

__all__ = ["Grid", "Plan", "simd_level", "time_field", "travel_times"]
