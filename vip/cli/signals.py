"""Ctrl-C and SIGTERM ask a run to stop; the run saves itself and ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether a signal came, and which."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """128 plus the signal, as shells do; 0 without one."""
        return 128 + self.signal if self.signal else 0


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request; a second one acts as usual, for those who cannot wait."""
    request = StopRequest()
    handled = (signal.SIGINT, signal.SIGTERM)
    usual = {number: signal.getsignal(number) for number in handled}

    def ask(number: int, _frame: FrameType | None) -> None:
        request.signal = number
        for each in handled:
            signal.signal(each, usual[each])

    for number in handled:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
