"""The equal-differential-time likelihood of earthquake location for many particles and events at once, and its gradient."""

from vip.kernels_c.edt._edt import log_edt, simd_level

__all__ = ["log_edt", "simd_level"]
