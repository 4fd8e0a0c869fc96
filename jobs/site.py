"""The site file, a small TOML file that an administrator writes once: scheduler, queue, modules and so on."""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from vip.errors import ConfigError, ConfigErrors
from vip.jobs.amounts import one_line, one_word, parse_memory, parse_walltime


def _one_word(text: str) -> str:
    """Validate one word. The error has no key, since pydantic adds it."""
    return one_word(text, "")


def _shell_line(text: str) -> str:
    return one_line(text, "", allowed="\t")


def _memory(text: str | int) -> str | int:
    """Validate an amount of memory here, where the file is known, and keep it as it was written."""
    parse_memory(text, "")
    return text


def _walltime(text: str | int) -> str | int:
    parse_walltime(text, "")
    return text


Line = Annotated[str, AfterValidator(_one_word)]
ShellLine = Annotated[str, AfterValidator(_shell_line)]
Memory = Annotated[str | int, AfterValidator(_memory)]
Walltime = Annotated[str | int, AfterValidator(_walltime)]
Count = Annotated[int, Field(ge=1)]


class Site(BaseModel):
    """A cluster, and the defaults of what its jobs ask for.

    Attributes
    ----------
    scheduler : "slurm" or "sge", optional
        Scheduler of the cluster.
    queue, account, project, qos : str, optional
        Queue (SLURM: partition), and who pays. Projects are Grid Engine's, qos is SLURM's.
    prologue : tuple of str
        Shell lines at the start of every job, verbatim.
    modules : tuple of str
        Modules that are loaded after the prologue, by ``module load``.
    directives : tuple of str
        Further options as one would write them behind ``#SBATCH`` or ``#$``, verbatim.
    parallel_environment : str
        Parallel environment of Grid Engine for jobs of several cores, which must keep them on one node.
    memory_resource : str, optional
        Resource of Grid Engine, for instance ``h_vmem``, that is requested for each slot; without it, no memory is requested.
    interface : str, optional
        Network interface of driver and workers, for instance ``ib0``.
    scratch : str, optional
        Fast local directory of the workers.
    workers, cores, memory, walltime : int, int, str, str
        Number of worker jobs, and cores, memory and walltime of each.
    driver_cores, driver_memory : int, str
        Cores and memory of the driver's job.
    warning : int
        Time before the walltime at which a driver is warned to save the run (s).
    mpirun : tuple of str
        Program, with its arguments, that starts MPI ranks; the number of ranks is added as ``-n``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheduler: Literal["slurm", "sge"] | None = None
    queue: Line | None = None
    account: Line | None = None
    project: Line | None = None
    qos: Line | None = None
    prologue: tuple[ShellLine, ...] = ()
    modules: tuple[Line, ...] = ()
    directives: tuple[Line, ...] = ()
    parallel_environment: Line = "smp"
    memory_resource: Line | None = None
    interface: Line | None = None
    scratch: Line | None = None
    workers: Count = 4
    cores: Count = 1
    memory: Memory = "4GB"
    walltime: Walltime = "24:00:00"
    driver_cores: Count = 1
    driver_memory: Memory = "4GB"
    warning: Annotated[int, Field(ge=20)] = 120
    mpirun: Annotated[tuple[Line, ...], Field(min_length=1)] = ("mpirun",)


def load_site(path: Path | None = None) -> Site:
    """The site from the given file, else from $VIP_SITE, ~/.config/vip/site.toml or /etc/vip/site.toml, else defaults.

    Raises
    ------
    ConfigError
        If a file that was named cannot be read, or a file has a fault.
    """
    file = site_file(path)
    if file is None:
        return Site()
    try:
        with file.open("rb") as stream:
            table = tomllib.load(stream)
    except OSError as error:
        raise ConfigError("", file, f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("", file, f"is not valid TOML: {error}") from error
    try:
        return Site(**table)
    except ValidationError as error:
        raise ConfigErrors([_explain(detail, file) for detail in error.errors()]) from error


def site_file(path: Path | None = None) -> Path | None:
    """The file in which `load_site` finds the site, or None."""
    if path is not None:
        return path
    if named := os.environ.get("VIP_SITE"):
        return Path(named)
    places = [Path.home() / ".config" / "vip" / "site.toml", Path("/etc/vip/site.toml")]
    return next((place for place in places if place.is_file()), None)


def _explain(detail: ErrorDetails, file: Path) -> ConfigError:
    """One fault as pydantic found it, with the key nearest to an unknown one."""
    key, value, remedy = ".".join(map(str, detail["loc"])), detail["input"], detail["msg"]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        value, remedy = cause.value, cause.remedy
    elif detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, Site.model_fields, n=1)
        remedy = "unknown key" + (f", did you mean {near[0]}?" if near else "")
    return ConfigError(key, value, remedy, file)
