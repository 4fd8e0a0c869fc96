"""One loop for all trainings, whose state is kept on disk: killed and begun again, it ends where it would have ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from vip.forward.neural.saved import load_tensors, save_tensors

FORMAT = "vip training 1"
EVERY = 250
"""Steps between which the state is kept."""

Progress = Callable[[int, float], None]


class Training(Protocol):
    """A network in training, and all that its next step depends on."""

    def step(self, done: float) -> float:
        """One step, the part `done` of all being behind it; returns the loss before it."""
        ...

    def state(self) -> dict[str, Any]:
        """Tensors by name: weights, optimiser, and random numbers."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        ...


class Kept(NamedTuple):
    """Where the state of a training is kept."""

    file: Path
    every: int = EVERY
    """Steps."""


def resumed(training: Training, steps: int, kept: Kept | None) -> int:
    """How many steps are done: those of the state that was kept, to which the training is set, or none.

    Raises
    ------
    ConfigError
        If the file is damaged, or of a training of another number of steps.
    """
    if kept is None or not kept.file.is_file():
        return 0
    about, state = load_tensors(kept.file, f"{FORMAT}, {steps} steps", training.state())
    training.restore(state)
    return int(about["done"])


def run(training: Training, first: int, steps: int, progress: Progress | None = None, kept: Kept | None = None) -> None:
    """Train from step `first` to `steps`; what was kept is deleted by the caller, when the network is safe.

    Parameters
    ----------
    training : Training
    first, steps : int
        Steps that are done before and after it.
    progress : callable, optional
        Receives after each step how many are done, and the loss before it.
    kept : Kept, optional
        Without it, a training that is killed is lost.
    """
    for step in range(first, steps):
        loss = training.step(step / steps)
        done = step + 1
        if kept is not None and done % kept.every == 0 and done < steps:
            save_tensors(kept.file, f"{FORMAT}, {steps} steps", {"done": done}, training.state())
        if progress is not None:
            progress(done, loss)
