"""What a run has to say besides its progress: warnings, and where its workers and dashboard are."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TELL = ("vip.dispatch.clusters", "vip.dispatch.mpi", "vip.progress")
"""Whose plain messages are for the user too; all others are for the log file of the run."""


@contextmanager
def told() -> Iterator[None]:
    """Show messages on standard error."""
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
    """Looks standard error up for each message: a progress bar puts itself in its place, and keeps below what is said."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print it."""
        print(self.format(record), file=sys.stderr, flush=True)


def _is_for_the_user(record: logging.LogRecord) -> bool:
    """The error that ends a run is logged by "vip" itself, and told by the command."""
    return record.name != "vip" and (record.levelno >= logging.WARNING or record.name in TELL)
