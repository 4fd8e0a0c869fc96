"""Observed seismograms: arrays with a table of channels, or files of seismograms with StationXML."""

from vip.forward.waveform.record.record import Record

__all__ = ["Record"]
