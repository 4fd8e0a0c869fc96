"""What figures and tables ask of the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vip.forward.waveform.elementary import Greens
from vip.forward.waveform.likelihood import Likelihood
from vip.forward.waveform.noise import Process
from vip.forward.waveform.record import Record
from vip.forward.waveform.truth import Truth
from vip.protocols import Floats, ModelSpace


class Solved(Protocol):
    """A forward of seismograms whose posterior is shown; `station_of` (channels,) are numbers of `stations`."""

    space: ModelSpace
    record: Record
    greens: Greens
    likelihood: Likelihood
    processes: Sequence[Process]
    stations: Sequence[str]
    station_of: NDArray[np.intp]
    truth: Truth | None

    @property
    def has_tensors(self) -> bool:
        """Whether something of the moment tensor is unknown."""

    def simulate(self, models: Floats) -> Floats:
        """Data (n, n_data) of models (n, d)."""

    def tensors(self, models: Floats, rng: np.random.Generator) -> Floats:
        """Moment tensors (n, 6), N m, of models (n, d)."""
