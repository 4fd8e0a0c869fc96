"""Acoustic full-waveform inversion in two dimensions."""

from forward.fwi2d.plugin import FWI2D

__all__ = ["FWI2D"]
