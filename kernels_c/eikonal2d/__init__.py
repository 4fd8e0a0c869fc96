"""Travel times on a 2-D grid for many velocity models at once, the exact gradient of their misfit, and exact rays."""

from vip.kernels_c.eikonal2d._eikonal2d import Plan, ray_weights, simd_level, time_field, travel_times
from vip.kernels_c.eikonal2d.geometry import Grid

__all__ = ["Grid", "Plan", "ray_weights", "simd_level", "time_field", "travel_times"]
