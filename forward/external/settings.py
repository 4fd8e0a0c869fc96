"""The ``[forward]`` table of an external program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from vip.errors import ConfigError
from vip.forward.external.files import FORMATS
from vip.forward.external.template import placeholders
from vip.protocols import Floats, ModelSpace, Variable
from vip.settings import Finite, Settings

Name = Annotated[str, Field(pattern=r"^\w[\w-]*$")]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class AxisSettings(Settings):
    """An axis of a variable; its nodes are at ``start + i step``, i from 0 to ``count - 1``.

    Attributes
    ----------
    name, units : str
        For results and figures.
    """

    name: Name
    units: str
    start: Finite
    step: Finite
    count: Annotated[int, Field(ge=1)]

    def model_post_init(self, _context: object) -> None:
        """Check that nodes differ."""
        if self.step == 0:
            raise ConfigError("step", self.step, "must not be zero")


class VariableSettings(Settings):
    """A part of the model vector: a map over its axes, the last of which runs fastest, or one number without any.

    Attributes
    ----------
    name, units, long_name : str
        For results and figures; `name` is that of its ``[prior.NAME]``.
    """

    name: Name
    units: str
    long_name: str = ""
    axes: tuple[AxisSettings, ...] = ()

    def model_post_init(self, _context: object) -> None:
        """Check that axes differ."""
        _check_distinct("axes", [axis.name for axis in self.axes])


class ExternalSettings(Settings):
    """Settings of `External`.

    `command` is the program and its arguments; no shell sees them, each item is one argument whatever it holds. Placeholders:
    ``{model}``, ``{log_likelihood}`` and ``{gradient}`` (format "npy") or ``{model}`` and ``{result}`` (format "hdf5") are the
    paths of files, ``{scratch}`` is the folder they are in, ``{threads}`` how many threads or ranks to use; ``{{threads}}`` is
    the text {threads}. A program with a slash is relative to the configuration's folder, any other is looked up on PATH.

    `timeout` is in seconds, for one evaluation; one that failed is tried `retries` more times. `scratch` is where each
    evaluation makes a folder, the system's temporary directory by default. `environment` adds to the environment (and goes
    before OMP_NUM_THREADS = threads). `inputs` are files that the program reads: a run cannot be resumed once they changed.
    """

    command: tuple[Text, ...]
    variables: tuple[VariableSettings, ...]
    format: Literal["npy", "hdf5"] = "npy"
    timeout: Annotated[float, Field(gt=0, le=1e6)] | None = None
    retries: Annotated[int, Field(ge=0)] = 0
    scratch: Path | None = None
    environment: dict[Annotated[str, Field(pattern=r"^[^=\x00]+$")], Text] = {}  # noqa: RUF012  pydantic copies it
    inputs: tuple[Path, ...] = ()

    def model_post_init(self, _context: object) -> None:
        """Check keys that depend on each other."""
        for key in ("command", "variables"):  # not min_length, which also complains of a list that has a fault inside
            if not getattr(self, key):
                raise ConfigError(key, [], "needs at least one entry")
        self._check_command()
        _check_distinct("variables", [variable.name for variable in self.variables])
        axes: dict[str, AxisSettings] = {}
        for axis in (axis for variable in self.variables for axis in variable.axes):
            if axes.setdefault(axis.name, axis) != axis:
                raise ConfigError("variables", axis.name, "axes of one name must be the same in all variables; rename one")

    def _check_command(self) -> None:
        files = FORMATS[self.format].files
        allowed = [*files, "threads", "scratch"]
        if placeholders(self.command[0]):
            raise ConfigError("command", self.command[0], "the program itself cannot have placeholders, only its arguments")
        used = set().union(*map(placeholders, self.command[1:]))
        for name in sorted(used - set(allowed)):
            shown = ", ".join(f"{{{each}}}" for each in allowed)
            raise ConfigError(
                "command", f"{{{name}}}", f"no such placeholder; format {self.format} has {shown}; {{{{{name}}}}} is plain text"
            )
        unnamed = [name for name in files if name not in used]
        if unnamed and "scratch" not in used:
            folder = f"{{scratch}}, the folder of {', '.join(files.values())}"
            remedy = f"the command must name its files: add {{{unnamed[0]}}}, or {folder}"
            raise ConfigError("command", list(self.command), remedy)

    def space(self) -> ModelSpace:
        """Meaning of the entries of a model vector."""
        return ModelSpace(tuple(_variable(variable) for variable in self.variables))


def _variable(settings: VariableSettings) -> Variable:
    coords: dict[str, Floats] = {
        axis.name: axis.start + axis.step * np.arange(axis.count, dtype=float) for axis in settings.axes
    }
    units = {axis.name: axis.units for axis in settings.axes}
    return Variable(settings.name, settings.units, tuple(coords), coords, settings.long_name, units)


def _check_distinct(key: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise ConfigError(key, names, "names must differ")
