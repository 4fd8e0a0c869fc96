"""Earthquake locations from picks of P and S."""

from vip.forward.hypocenter.plugin import Hypocenters

__all__ = ["Hypocenters"]
