"""Travel-time tomography in two dimensions: first arrivals or group travel times between stations."""

from vip.forward.tomo2d.plugin import Tomo2D

__all__ = ["Tomo2D"]
