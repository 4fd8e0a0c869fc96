"""Resources that a job asks for, with the site's defaults for those that are not given."""

from __future__ import annotations

from typing import Any, NamedTuple

from vip.errors import ConfigError
from vip.jobs.amounts import one_word, parse_memory, parse_walltime
from vip.jobs.site import Site

EARLY = 60
"""Time by which a scheduler's warning may come early, s (sbatch(1), --signal)."""


class Resources(NamedTuple):
    """Resources that each worker's job asks for, and the number of these jobs.

    Attributes
    ----------
    workers : int
        Number of jobs.
    cores : int
        Number of cores of one job.
    memory : int
        Memory of one job (bytes).
    walltime : int
        Walltime of one job, the driver's included (s).
    queue, account, project : str, optional
        Names that the scheduler knows.
    """

    workers: int
    cores: int
    memory: int
    walltime: int
    queue: str | None = None
    account: str | None = None
    project: str | None = None


def resources(site: Site, **asked: Any) -> Resources:
    """The resources that are given, and the site's defaults for those that are not (None).

    Parameters
    ----------
    site : Site
        Site with the defaults.
    **asked
        Fields of `Resources`; memory and walltime as a user writes them.

    Raises
    ------
    ConfigError
        If a value is not an amount, or the walltime leaves no time to work in.
    """
    values = {key: getattr(site, key) if asked.get(key) is None else asked[key] for key in Resources._fields}
    values["memory"] = parse_memory(values["memory"])
    values["walltime"] = parse_walltime(values["walltime"])
    for key in ("workers", "cores"):
        if values[key] < 1:
            raise ConfigError(key, values[key], "must be at least 1")
    for key in ("queue", "account", "project"):
        if values[key] is not None:
            one_word(values[key], key)
    least = site.warning + EARLY
    if values["walltime"] <= least:
        raise ConfigError(
            "walltime", values["walltime"], f"must be more than {least} s: the warning comes that long before its end"
        )
    return Resources(**values)
