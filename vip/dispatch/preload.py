"""What Dask loads first in a worker process of this machine: signals to all are for the driver, which ends its workers."""

import signal


def dask_setup(worker: object) -> None:
    """Called by Dask when a worker starts."""
    for number in (signal.SIGINT, signal.SIGUSR1):  # Ctrl-C, and Grid Engine's warning
        signal.signal(number, signal.SIG_IGN)
