"""Acoustic waves on a 2-D grid, and the exact gradient of anything that is computed from their traces."""

from vip.kernels_c.acoustic2d._acoustic2d import Shot, Waves, propagate, simd_level, traces
from vip.kernels_c.acoustic2d.geometry import Grid

__all__ = ["Grid", "Shot", "Waves", "propagate", "simd_level", "traces"]
