"""Ctrl-C, SIGTERM and a job scheduler's warning ask a run to stop; the run saves itself and ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

CONTINUE = 75
"""Exit code that lets the job's script know that the run is saved and not complete (EX_TEMPFAIL)."""


class Interrupted(BaseException):
    """A request came where it ends the work at once."""


class StopRequest:
    """A request to stop: whether a signal came, and which."""

    def __init__(self) -> None:
        self.signal: int | None = None

        self.may_interrupt = False

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None

    @contextmanager
    def at_any_moment(self) -> Iterator[None]:
        """Work whose parts are of no use: a request ends it at once, and the code after it goes on."""
        with suppress(Interrupted):
            self.may_interrupt = True
            try:
                yield
            finally:
                self.may_interrupt = False

    @property
    def at_once(self) -> bool:
        """Whether there is no time to finish an iteration: SIGKILL follows SIGTERM."""
        return self.signal == signal.SIGTERM

    @property
    def exit_code(self) -> int:
        """Exit code: 128 plus the signal, as in a shell; 0 without one; `CONTINUE` after the warning before the walltime."""
        if self.signal == signal.SIGUSR1:
            return CONTINUE
        return 128 + self.signal if self.signal else 0


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGUSR1 into a request.

    A second Ctrl-C acts as usual, for those who cannot wait. The others may come twice, from a scheduler and from the script
    of its job, and their usual effect would be the end of a process that is saving itself.
    """
    request = StopRequest()
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    usual = {number: signal.getsignal(number) for number in handled}

    def ask(number: int, _frame: FrameType | None) -> None:
        request.signal = number
        signal.signal(signal.SIGINT, usual[signal.SIGINT])
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        if number == signal.SIGTERM:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if request.may_interrupt:
            request.may_interrupt = False  # once: nothing would catch a second one
            raise Interrupted

    for number in handled:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
