"""Elementary seismograms between the nodes of a table."""

from vip.kernels_c.seismograms._seismograms import Seismograms

__all__ = ["Seismograms"]
