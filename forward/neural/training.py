"""The loop of all trainings. It keeps its state on disk: a training that is killed and begun again gives the same network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from vip.forward.neural.saved import load_tensors, save_tensors

FORMAT = "vip training 1"
EVERY = 250
"""Number of steps between two times that the state is kept."""

Progress = Callable[[int, float], None]


class Training(Protocol):
    """A network in training, with all that its next step depends on."""

    def step(self, done: float) -> float:
        """Do one step, before which the part `done` of all steps is done; return the loss before the step."""
        ...

    def state(self) -> dict[str, Any]:
        """State as tensors by name: weights, optimiser, and random numbers."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        ...


class Kept(NamedTuple):
    """The file in which the state of a training is kept, and how often."""

    file: Path
    every: int = EVERY
    """Number of steps between two times that the state is kept."""
    of: str = ""
    """What is trained; the state of anything else is refused."""

    def format(self, steps: int) -> str:
        """Format of the file: it is part of it how many steps there are, and what is trained."""
        return f"{FORMAT}, {steps} steps{self.of and f' of {self.of}'}"


def resumed(training: Training, steps: int, kept: Kept | None) -> int:
    """Set a training to the state that was kept, if any, and return the number of steps that it has done.

    Raises
    ------
    ConfigError
        If the file is damaged, or is that of another training or one with another number of steps.
    """
    if kept is None or not kept.file.is_file():
        return 0
    about, state = load_tensors(kept.file, kept.format(steps), training.state())
    training.restore(state)
    return int(about["done"])


def run(
    training: Training,
    first: int,
    steps: int,
    progress: Progress | None = None,
    kept: Kept | None = None,
    stop: Callable[[], bool] | None = None,
) -> bool:
    """Train from step `first` to `steps`, and return whether all are done.

    The caller deletes the kept state when the network is safe.

    Parameters
    ----------
    training : Training
    first, steps : int
        Number of steps that are done before and after the call.
    progress : callable, optional
        Called after each step, with the number of steps done and the loss before the step.
    kept : Kept, optional
        Where the state is kept; without it, a training that is killed is lost.
    stop : callable, optional
        Asked after each step whether to stop; the state is kept then.
    """
    for step in range(first, steps):
        loss = training.step(step / steps)
        done = step + 1
        stopped = stop is not None and done < steps and stop()
        if kept is not None and done < steps and (stopped or done % kept.every == 0):
            save_tensors(kept.file, kept.format(steps), {"done": done}, training.state())
        if progress is not None:
            progress(done, loss)
        if stopped:
            return False
    return True
