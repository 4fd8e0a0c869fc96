"""Dask clusters that a run starts or finds, each with a client that reaches its workers directly."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from vip.dispatch import certificates
from vip.errors import DispatchError

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

log = logging.getLogger(__name__)

DASK_SETTINGS: Mapping[str, object] = {
    # A worker whose forward holds the interpreter's lock cannot say that it lives; `timeout` is for those that hang.
    "distributed.scheduler.worker-ttl": "15 minutes",
    "distributed.comm.timeouts.connect": "60s",
    "distributed.admin.low-level-log-length": 100,
    # What workers measure about themselves takes a twentieth of a core each, and nobody looks at it.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.worker.memory.monitor-interval": "500ms",
    # A client that finds no scheduler would leave its own here, and then xarray in the same process fails.
    "scheduler": None,
}

NANNIES: Mapping[str, object] = {
    # A nanny is closed for good if so long after its worker was lost there is none: on a busy machine one may just be starting.
    "distributed.deploy.lost-worker-timeout": "10 minutes",
}

QUIET = logging.CRITICAL
"""Levels of Dask's own loggers: this package reports lost workers itself, in one line."""


@contextmanager
def local(workers: int, memory: int | None, dashboard: str | None) -> Iterator[Client]:
    """Worker processes on this machine, which its other users cannot reach: their connections ask for a certificate.

    A worker that ends is started again by its nanny. `client.cluster.scale(workers)` replaces those that have lost it too.

    Parameters
    ----------
    workers : int
    memory : int, optional
        Bytes that a worker may use before it is restarted; without it an equal share of the machine's.
    dashboard : str, optional
        Address of Dask's dashboard.
    """
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({**DASK_SETTINGS, **NANNIES, "distributed.worker.preload": ["vip.dispatch.preload"]}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=memory or "auto",
            protocol="tls://",
            security=certificates.in_memory(),
            dashboard_address=dashboard_address(dashboard),
            silence_logs=QUIET,
        ) as cluster,
        _client(cluster) as client,
    ):
        yield client


@contextmanager
def queued(make: Callable[[], Any], workers: int) -> Iterator[Client]:
    """Workers that are jobs of the dask-jobqueue cluster that `make` makes; `workers` of them are wanted."""
    import dask

    with dask.config.set(DASK_SETTINGS), make() as cluster, _client(cluster) as client:
        cluster.scale(jobs=workers)
        yield client


@contextmanager
def remote(address: str, security: Security | None) -> Iterator[Client]:
    """A scheduler that runs elsewhere, with whatever workers it has."""
    import dask

    with dask.config.set(DASK_SETTINGS):
        try:
            client = _client(address, security=security, timeout="20s")
        except (OSError, ValueError, TypeError) as error:
            raise DispatchError(f"dispatch: {address}: cannot be reached: {error}") from error
        with client:
            yield client


def dashboard_address(wanted: str | None) -> str:
    """Address of Dask's pages: by default one that only this machine reaches, since no address would mean all networks."""
    return wanted or "127.0.0.1:0"


def _client(place: Any, **options: Any) -> Client:
    from distributed import Client

    client = Client(place, direct_to_workers=True, **options)
    if find_spec("bokeh") and client.dashboard_link:  # bokeh draws it
        log.info("Dask's dashboard: %s", client.dashboard_link)
    return client
