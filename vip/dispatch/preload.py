"""What Dask loads first in a worker process of this machine: Ctrl-C is for the driver, which ends its workers."""

import signal


def dask_setup(worker: object) -> None:
    """Called by Dask when a worker starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
