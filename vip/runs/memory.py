"""What a run without a directory leaves behind."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from vip.protocols import Floats, Info
from vip.runs.store import EQUAL, Checkpoint, Stretch, flatten


class Memory:
    """The samples, metrics and last state of a run, as `vip.Store` has them, but in memory and in double precision.

    Attributes
    ----------
    path : None
        A run in memory has no directory.
    failed : list of (n, d) float
        Models whose forward failed.
    """

    path = None

    def __init__(self, seed: int) -> None:
        self.provenance: dict[str, Any] = {"seed": seed, "python": platform.python_version(), "process": os.getpid()}
        self.failed: list[Floats] = []
        self._stretches: list[Stretch] = []
        self._metrics: list[dict[str, float]] = []
        self._checkpoint: Checkpoint | None = None

    def __repr__(self) -> str:
        return f"<samples of {len(self._stretches):,} iterations in memory>"

    @property
    def models(self) -> list[Floats]:
        """Samples (n, d) of each iteration that was kept."""
        return [stretch.models[0] for stretch in self._stretches]

    @property
    def evaluations(self) -> int:
        """Number of models evaluated so far."""
        return int(sum(line["evaluations"] for line in self._metrics))

    def append(self, iteration: int, models: Floats, log_weights: Floats = EQUAL) -> None:
        """Keep models (n, d) of an iteration."""
        self._stretches.append(Stretch(np.array([iteration]), models[None], log_weights[None] if log_weights.size else EQUAL))

    def commit(self, iteration: int, status: str, state: Any) -> None:
        """Keep the state to go on from."""
        self._checkpoint = Checkpoint(iteration, status, flatten(state))

    def log_metrics(self, iteration: int, info: Info, seconds: float, more: Mapping[str, float]) -> None:
        """Keep the numbers that one iteration reports."""
        about = {"log_density": info.log_density, "step": info.step, **info.more}
        self._metrics.append({"iteration": iteration, **about, "seconds": seconds, **more})

    def save_failed(self, iteration: int, models: Floats) -> str:
        """Keep models (n, d) whose forward failed."""
        self.failed.append(models)
        return "memory, in result.store.failed"

    def samples(self) -> Iterator[Stretch]:
        """Samples of one iteration after the other."""
        return iter(self._stretches)

    def metrics(self) -> list[dict[str, float]]:
        """One record for each iteration."""
        return self._metrics

    def checkpoint(self) -> Checkpoint | None:
        """The last state."""
        return self._checkpoint
