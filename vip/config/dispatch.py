"""Settings of the table ``[dispatch]``: who evaluates the particles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from vip.errors import ConfigError
from vip.settings import Count, Positive, Settings

ENGINES = ("auto", "serial", "local", "slurm", "sge", "mpi")


class DispatchSettings(Settings):
    """Settings that say who evaluates the particles.

    `kind` is one of `ENGINES` or the address of a Dask scheduler, ``tls://host:port``; "auto" decides by the weight of the
    forward. `threads` is the number of threads of each worker, 0 for as many as it may use. `timeout` is in seconds a particle.
    The keys from `cores` on describe the jobs of a scheduler; one that is left out has the site's default, see `vip.jobs.site`.
    """

    kind: str = "auto"
    threads: Annotated[int, Field(ge=0)] = 0
    workers: Count | None = None
    minimum_workers: Count = 1
    timeout: Positive | None = None
    dashboard: str | None = "127.0.0.1:0"
    certificates: Path | None = None
    insecure: bool = False
    site: Path | None = None
    cores: Count | None = None
    memory: str | None = None
    walltime: str | None = None
    queue: str | None = None
    account: str | None = None
    project: str | None = None

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in ENGINES and not kind.startswith(("tls://", "tcp://")):
            raise ConfigError("", kind, f"expected one of {', '.join(ENGINES)}, or tls://host:port")
        return kind
