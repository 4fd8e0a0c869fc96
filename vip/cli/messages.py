"""Messages of a run besides its progress: warnings, and where its workers and dashboard are."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FOR_THE_USER = ("vip.dispatch.clusters", "vip.dispatch.mpi", "vip.progress")
"""Loggers whose plain messages are for the user too; those of all others are for the log file of the run."""


@contextmanager
def messages_shown() -> Iterator[None]:
    """Show messages of this package on standard error while the context is open."""
    handler = _Shown()
    handler.setFormatter(logging.Formatter("vip: %(message)s"))
    handler.addFilter(_is_for_the_user)
    root = logging.getLogger("vip")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)


class _Shown(logging.Handler):
    """A handler that looks up standard error for each message: a progress bar takes its place, and stays below messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message."""
        print(self.format(record), file=sys.stderr, flush=True)


def _is_for_the_user(record: logging.LogRecord) -> bool:
    """Whether to show a message. The error that ends a run is not shown: "vip" itself logs it, and the command prints it."""
    return record.name != "vip" and (record.levelno >= logging.WARNING or record.name in FOR_THE_USER)
