"""All that is asked of an association, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from vip.errors import ConfigError
from vip.forward.association.window.learning import FIRST
from vip.forward.earthquakes.picks import SIGMAS
from vip.forward.earthquakes.velocity import Interpolation

Border = Literal["latitude", "longitude", "x", "y"]


class Parameters(NamedTuple):
    """What changes the result, besides the files; see `vip.forward.association.record.door.associate`."""

    depth: tuple[float, float] = (0.0, 30.0)
    margin: float | None = None
    region: Mapping[Border, tuple[float, float]] | None = None
    sigma: float | Mapping[str, float] | None = None
    detection: float | None = None
    least: int = 5
    spacing: float | None = None
    between: Interpolation = "constant"
    projection: str | None = None
    speed_sigma: float | None = None
    correction_sigma: float | None = None

    @property
    def unknown_times(self) -> bool:
        """Whether travel times are to be learned."""
        return self.speed_sigma is not None or self.correction_sigma is not None

    def check(self) -> None:
        """Raise a ConfigError if one of them is wrong."""
        self.sigmas()
        if self.detection is not None and not 0 < self.detection < 1:
            raise ConfigError("detection", self.detection, "must be a probability between 0 and 1")
        if self.least < 4:
            raise ConfigError("least", self.least, "must be at least 4, the number of unknowns of an event")
        if self.spacing is not None and not 0 < self.spacing < np.inf:
            raise ConfigError("spacing", self.spacing, "must be a positive number of km")
        if self.speed_sigma is not None and not 0 < self.speed_sigma < 1:
            raise ConfigError("speed_sigma", self.speed_sigma, "must be a share of the speed, between 0 and 1")
        if self.correction_sigma is not None and not 0 < self.correction_sigma < np.inf:
            raise ConfigError("correction_sigma", self.correction_sigma, "must be a positive number of seconds")

    def sigmas(self) -> dict[str, float]:
        """Standard deviation, s, of picks that have none, by phase; empty if it is to be learned."""
        if self.sigma is None:
            return {}
        by_phase = dict(self.sigma) if isinstance(self.sigma, Mapping) else dict.fromkeys(FIRST, float(self.sigma))
        for phase, value in by_phase.items():
            if phase not in FIRST:
                raise ConfigError("sigma", phase, "expected P or S")
            if not 0 < value < np.inf:
                raise ConfigError("sigma", value, "must be a positive number of seconds")
            if not SIGMAS[0] <= value <= SIGMAS[1]:
                raise ConfigError("sigma", value, f"must be from {SIGMAS[0]:g} to {SIGMAS[1]:g}; is it in seconds?")
        return by_phase

    def borders(self) -> dict[str, Any]:
        """Settings of the region."""
        return {"depth": self.depth, "margin": self.margin} | {str(name): ends for name, ends in (self.region or {}).items()}
