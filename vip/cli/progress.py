"""How a run shows where it is: a bar on a terminal, lines with the time of day in a batch job."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from vip.inference.loop import Progress

LINE_SECONDS = 10.0
"""Least time between two lines."""


@contextmanager
def shown() -> Iterator[Callable[[Progress], None]]:
    """A function to call after each iteration."""
    if sys.stderr.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _lines()


def finish_time(progress: Progress, mean_seconds: float) -> str:
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
def _bar() -> Iterator[Callable[[Progress], None]]:
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

        def tell(progress: Progress) -> None:
            seconds = mean(progress.seconds)
            bar.update(
                task,
                completed=progress.iteration,
                total=progress.iterations,
                description=f"log-posterior {progress.info.log_density:.1f} step {progress.info.step:.2g}"
                f" {_duration(seconds)}/iter done {finish_time(progress, seconds)}",
            )

        yield tell


def _lines() -> Callable[[Progress], None]:
    mean, last = MeanSeconds(), [-LINE_SECONDS]

    def tell(progress: Progress) -> None:
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
