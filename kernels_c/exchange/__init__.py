"""Which pick belongs to which event, by exchanges of picks, where all continuous unknowns follow each exchange."""

from vip.kernels_c.exchange._exchange import exchange

__all__ = ["exchange"]
