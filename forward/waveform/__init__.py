"""Where an event was and how it moved, from whole seismograms in a 3-D elastic earth."""

from vip.forward.waveform.plugin import Waveform

__all__ = ["Waveform"]
