"""From settings to a plan: earth and receivers are read from their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vip.errors import ConfigError
from vip.forward.waveform.channels import read_channels
from vip.forward.waveform.earth import read_earth
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens.plan import Plan
from vip.forward.waveform.greens.settings import FillSettings, GreensSettings
from vip.protocols import Floats


def plan_from(settings: GreensSettings, base_dir: Path) -> Plan:
    """Read what a table is filled from; paths are relative to `base_dir`.

    Raises
    ------
    ConfigError
        If a file cannot be read, or the plan cannot be.
    """
    receivers = base_dir / settings.receivers
    channels = read_channels(receivers)
    try:
        return plan_for(settings, base_dir, channels, np.array(settings.box), settings.dt, settings.duration)
    except ConfigError as error:
        if error.key.startswith("receiver "):
            raise ConfigError(error.key, error.value, error.remedy, receivers) from error
        raise


def plan_for(
    settings: FillSettings, base_dir: Path, channels: tuple[Channel, ...], box: Floats, dt: float, duration: float
) -> Plan:
    """Plan for receivers, places and times that are known; the path of the earth is relative to `base_dir`.

    Raises
    ------
    ConfigError
        If the earth cannot be read, or the plan cannot be.
    """
    s = settings
    spacing, extent, origin = (None if v is None else np.asarray(v, float) for v in (s.spacing, s.extent, s.origin))
    earth = read_earth(base_dir / s.earth, s.units, spacing, extent, origin)
    solver = s.tolerance, s.every, s.order, s.layer, s.free_surface
    return Plan(earth, channels, box, s.frequency, dt, duration, *solver)
