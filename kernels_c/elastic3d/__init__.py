"""Elastic waves on a 3-D grid."""

from vip.kernels_c.elastic3d._elastic3d import simd_level
from vip.kernels_c.elastic3d.geometry import Absorber, largest_time_step, points_per_wavelength
from vip.kernels_c.elastic3d.points import ForceSource, MomentSource
from vip.kernels_c.elastic3d.solver import Solver, StrainBox

__all__ = [
    "Absorber",
    "ForceSource",
    "MomentSource",
    "Solver",
    "StrainBox",
    "largest_time_step",
    "points_per_wavelength",
    "simd_level",
]
