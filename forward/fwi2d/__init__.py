"""Acoustic full-waveform inversion in two dimensions."""

from vip.forward.fwi2d.plugin import FWI2D

__all__ = ["FWI2D"]
