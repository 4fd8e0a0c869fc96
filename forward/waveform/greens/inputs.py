"""From the ``[greens]`` table to a plan: earth and receivers are read from their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vip.errors import ConfigError
from vip.forward.waveform.channels import read_channels
from vip.forward.waveform.earth import read_earth
from vip.forward.waveform.greens.plan import Plan
from vip.forward.waveform.greens.settings import GreensSettings


def plan_from(settings: GreensSettings, base_dir: Path) -> Plan:
    """Read what a table is filled from; paths are relative to `base_dir`.

    Raises
    ------
    ConfigError
        If a file cannot be read, or the plan cannot be.
    """
    s = settings
    spacing, extent, origin = (None if v is None else np.asarray(v, float) for v in (s.spacing, s.extent, s.origin))
    receivers = base_dir / s.receivers
    channels = read_channels(receivers)
    earth = read_earth(base_dir / s.earth, s.units, spacing, extent, origin)
    try:
        return Plan(
            earth,
            channels,
            np.array(s.box),
            s.frequency,
            s.dt,
            s.duration,
            s.tolerance,
            s.every,
            s.order,
            s.layer,
            s.free_surface,
        )
    except ConfigError as error:
        if error.key.startswith("receiver "):
            raise ConfigError(error.key, error.value, error.remedy, receivers) from error
        raise
