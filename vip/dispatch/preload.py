"""Module that Dask loads first in a worker process of this machine: signals to all processes are left to the driver."""

import signal


def dask_setup(worker: object) -> None:
    """Ignore signals that are sent to all processes; Dask calls this when a worker starts."""
    for number in (signal.SIGINT, signal.SIGUSR1):  # Ctrl-C, and Grid Engine's warning
        signal.signal(number, signal.SIG_IGN)
