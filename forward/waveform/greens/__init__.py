"""Tables of Green's functions: one simulation for each receiver gives the seismograms of events at all places."""

from vip.forward.waveform.greens.plan import Plan
from vip.forward.waveform.greens.settings import GreensSettings
from vip.forward.waveform.greens.table import Table, fill, open_table

__all__ = ["GreensSettings", "Plan", "Table", "fill", "open_table"]
