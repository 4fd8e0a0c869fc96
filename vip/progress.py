"""Reports of progress, the only ones there are: of a run after each iteration, and of any other task that takes long."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

log = logging.getLogger(__name__)

EVERY = 5.0
"""Time between two messages, and before the first, s."""


class Waiting:
    """Reports how many parts of a task are done, and the time that the others will take if they are as long.

    Parameters
    ----------
    what : str
        The task.
    parts : int
        Number of parts.
    unit : str
        Name of the parts, in the plural.
    """

    def __init__(self, what: str, parts: int, unit: str) -> None:
        self.what, self.parts, self.unit = what, parts, unit
        self.began = self.reported = time.monotonic()

    def __call__(self, done: int, more: str = "") -> None:
        """Report that `done` parts are done, and what else there is to say, unless the last message was just now."""
        now = time.monotonic()
        if now - self.reported < EVERY:
            return
        self.reported = now
        left = ""
        if done:
            left = f", {timedelta(seconds=round((now - self.began) * (self.parts - done) / done))} left"
        log.info("%s: %d of %d %s%s%s", self.what, done, self.parts, self.unit, more, left)


LINE_SECONDS = 10.0
"""Least time between two lines (s)."""
NOTEBOOK_SECONDS = 0.2
"""Least time between two changes of a bar in a notebook (s)."""


class Numbers(Protocol):
    """Numbers that a step reports, see `vip.protocols.Info`."""

    @property
    def log_density(self) -> float:
        """Mean log-density over the particles."""

    @property
    def step(self) -> float:
        """Root-mean-square change of theta per entry."""


class Step(Protocol):
    """Report of a run after an iteration, see `vip.inference.loop.Record`."""

    @property
    def iteration(self) -> int:
        """Number of iterations done."""

    @property
    def iterations(self) -> int:
        """Number of iterations in all."""

    @property
    def info(self) -> Numbers:
        """Numbers that this iteration reports."""

    @property
    def seconds(self) -> float:
        """Time that the iteration took (s)."""


@contextmanager
def shown() -> Iterator[Callable[[Step], None]]:
    """A function to call after each iteration: a bar on a terminal or in a notebook, else lines with the time of day."""
    if _in_notebook():
        yield _notebook_bar()
    elif sys.stderr.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _lines()


def finish_time(progress: Step, mean_seconds: float) -> str:
    """Estimated time of day at which the run will be done."""
    left = timedelta(seconds=mean_seconds * (progress.iterations - progress.iteration))
    finish = datetime.now() + left
    return f"{finish:%H:%M:%S}" if left < timedelta(hours=12) else f"{finish:%d %b %H:%M}"


class MeanSeconds:
    """Running mean of the time per iteration, over about the last hundred."""

    def __init__(self) -> None:
        self.value, self.count = 0.0, 0

    def __call__(self, seconds: float) -> float:
        """Add one iteration and return the mean."""
        self.count = min(self.count + 1, 100)
        self.value += (seconds - self.value) / self.count
        return self.value


@contextmanager
def _bar() -> Iterator[Callable[[Step], None]]:
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.BarColumn(bar_width=8),  # the whole line fits into 80 columns
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.description}"),
    )
    with rich.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=None)
        mean = MeanSeconds()

        def tell(progress: Step) -> None:
            bar.update(
                task,
                completed=progress.iteration,
                total=progress.iterations,
                description=_described(progress, mean(progress.seconds)),
            )

        yield tell


def _lines() -> Callable[[Step], None]:
    mean, last = MeanSeconds(), [-LINE_SECONDS]

    def tell(progress: Step) -> None:
        seconds = mean(progress.seconds)
        if time.monotonic() - last[0] < LINE_SECONDS and progress.iteration < progress.iterations:
            return
        last[0] = time.monotonic()
        print(
            f"{datetime.now():%Y-%m-%d %H:%M:%S} {progress.iteration}/{progress.iterations}"
            f" log-posterior {progress.info.log_density:.1f} step {progress.info.step:.2g}"
            f" {_duration(seconds)}/iteration, done at {finish_time(progress, seconds)}",
            file=sys.stderr,
            flush=True,
        )

    return tell


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _described(progress: Step, seconds: float) -> str:
    """Numbers of a step, and when the run will be done."""
    return (
        f"log-posterior {progress.info.log_density:.1f} step {progress.info.step:.2g}"
        f" {_duration(seconds)}/iter done {finish_time(progress, seconds)}"
    )


def _in_notebook() -> bool:
    """Whether output is shown by a notebook; IPython is there already if it is."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _notebook_bar() -> Callable[[Step], None]:
    """A bar of HTML that a notebook changes in its place; it needs no widgets."""
    from IPython.display import HTML, display

    mean, last = MeanSeconds(), [-NOTEBOOK_SECONDS]
    handle = display(HTML("starting"), display_id=True)

    def tell(progress: Step) -> None:
        seconds = mean(progress.seconds)
        if time.monotonic() - last[0] < NOTEBOOK_SECONDS and progress.iteration < progress.iterations:
            return
        last[0] = time.monotonic()
        bar = f"<progress value='{progress.iteration}' max='{progress.iterations}'></progress>"
        handle.update(HTML(f"{bar} {progress.iteration}/{progress.iterations} {_described(progress, seconds)}"))

    return tell
