"""What a user is told while something takes long: at most every few seconds, how far it is."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

log = logging.getLogger(__name__)

EVERY = 5.0
"""s between two messages, and before the first."""


class Waiting:
    """Tells how many of some parts of a task are done, and when the others will be if they take as long.

    Parameters
    ----------
    what : str
        The task.
    parts : int
        How many there are.
    unit : str
        What they are.
    """

    def __init__(self, what: str, parts: int, unit: str) -> None:
        self.what, self.parts, self.unit = what, parts, unit
        self.began = self.told = time.monotonic()

    def __call__(self, done: int) -> None:
        """After so many in all."""
        now = time.monotonic()
        if now - self.told < EVERY:
            return
        self.told = now
        left = ""
        if done:
            left = f", {timedelta(seconds=round((now - self.began) * (self.parts - done) / done))} left"
        log.info("%s: %d of %d %s%s", self.what, done, self.parts, self.unit, left)
