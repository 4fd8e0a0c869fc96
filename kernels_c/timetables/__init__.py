"""Travel times between the nodes of tables, and their gradients by the hypocentre."""

from vip.kernels_c.timetables._timetables import TimeTables

__all__ = ["TimeTables"]
