"""Which pick belongs to which predicted arrival: the best matching of each channel, and probabilities."""

from vip.kernels_c.matching._matching import Matching

__all__ = ["Matching"]
