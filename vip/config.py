"""TOML to frozen settings: the only place that reads configuration.

Every fault becomes a `ConfigError` that names file, key, value and what would be right.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from vip.algorithm_settings import ALGORITHMS, AlgorithmSettings
from vip.data import data_dir
from vip.errors import ConfigError, ConfigErrors
from vip.settings import Count, Finite, Positive, Settings


class SmoothnessSettings(Settings):
    """A Gaussian Markov random field that multiplies a prior."""

    sigma: Positive
    correlation_length: Positive


class UniformSettings(Settings):
    """Uniform prior; `bounds` says how algorithms in unconstrained space meet its bounds.

    `bounds_file` has a lower and an upper bound for each row of the variable (its first dimension). With `bounds_spacing`,
    the file's rows are that far apart, from zero, and bounds are interpolated at the variable's own rows.
    """

    kind: Literal["uniform"]
    unit: str | None = None
    lower: Finite | None = None
    upper: Finite | None = None
    bounds_file: Path | None = None
    bounds_spacing: Positive | None = None
    bounds: Literal["logit", "clip"] = "logit"
    smoothness: SmoothnessSettings | None = None

    @model_validator(mode="after")
    def _ordered(self) -> UniformSettings:
        given = [value is not None for value in (self.lower, self.upper)]
        if given != [self.bounds_file is None] * 2:
            raise ConfigError("lower", self.lower, "give either lower and upper, or bounds_file")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ConfigError("upper", self.upper, f"must be larger than lower, which is {self.lower}")
        return self


class GaussianSettings(Settings):
    """Gaussian prior with one standard deviation, or a covariance matrix from a .npy or text file.

    With `whiten`, algorithms move in coordinates in which the prior is white noise: the better ones where it is correlated.
    """

    kind: Literal["gaussian"]
    unit: str | None = None
    mean: Finite
    sd: Positive | None = None
    covariance_file: Path | None = None
    smoothness: SmoothnessSettings | None = None
    whiten: bool = False

    @model_validator(mode="after")
    def _one_spread(self) -> GaussianSettings:
        if (self.sd is None) == (self.covariance_file is None):
            raise ConfigError("sd", self.sd, "give either sd or covariance_file")
        return self


class SmoothSettings(Settings):
    """Smoothness alone as a prior; `whiten` as for a Gaussian one."""

    kind: Literal["smooth"]
    unit: str | None = None
    mean: Finite
    sigma: Positive
    correlation_length: Positive
    whiten: bool = False


class CustomPriorSettings(Settings):
    """A prior of the user's, as ``package.module:Class`` or ``./file.py:Class``; other keys go to the class."""

    model_config = ConfigDict(frozen=True, extra="allow")
    kind: Literal["custom"]
    unit: str | None = None
    plugin: str


PriorSettings = Annotated[
    UniformSettings | GaussianSettings | SmoothSettings | CustomPriorSettings, Field(discriminator="kind")
]


ENGINES = ("auto", "serial", "local", "slurm", "sge", "mpi")


class DispatchSettings(Settings):
    """Who evaluates the particles.

    `kind` is one of `ENGINES` or the address of a Dask scheduler, ``tls://host:port``; "auto" decides by the weight of the
    forward. `threads` are those of each worker, 0 for as many as it may use. `timeout` is in seconds a particle. The keys from
    `cores` on describe the jobs of a scheduler; what is left out is the site's default, see `vip.jobs.site`.
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


class RunSettings(Settings):
    """Where and how often a run is saved. A relative `output` is beside the configuration file.

    `on_failure` says what becomes of a particle whose forward fails: the run stops, the particle is held where only the others
    move it, or it takes the place of another, see `vip.protocols.Resamples`. Algorithms that accept or reject steps reject it,
    whatever is said here; how many failed is in the report.
    """

    output: Path | None = None
    checkpoint_seconds: Positive = 30.0
    on_failure: Literal["raise", "hold", "resample"] = "raise"


class ForwardSettings(Settings):
    """The plugin; other keys are its own and are checked by it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    plugin: str


class Config(Settings):
    """A whole configuration file."""

    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    forward: ForwardSettings
    prior: dict[str, PriorSettings] = Field(default_factory=dict)
    algorithm: AlgorithmSettings
    dispatch: DispatchSettings = DispatchSettings()
    run: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _resampled(self) -> Config:
        name = self.algorithm.name
        if self.run.on_failure == "resample" and not self.algorithm.may_be_moved:
            raise ConfigError("run.on_failure", "resample", f"{name} has no particles that may be moved: use 'hold'")
        return self


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        If it cannot be read or holds a fault; several faults are several lines.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError("", path, f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("", path, f"is not valid TOML: {error}") from error
    try:
        return Config.model_validate(_with_data_dir(data))
    except ValidationError as error:
        raise explain(error, Config, path) from error


def _with_data_dir(value: Any) -> Any:
    """Put the folder of `data_dir` in place of ``${VIP_DATA_DIR}`` in all strings."""
    if isinstance(value, dict):
        return {key: _with_data_dir(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_data_dir(item) for item in value]
    return value.replace("${VIP_DATA_DIR}", str(data_dir())) if isinstance(value, str) else value


def explain(error: ValidationError, model: type[BaseModel], file: Path, prefix: str = "") -> ConfigErrors:
    """The faults of a pydantic error as `ConfigErrors`, a line each."""
    return ConfigErrors([_explain_one(detail, model, file, prefix) for detail in _without_branches(error.errors())])


def _without_branches(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Of a value that may be a number or a word, pydantic tells what is wrong with it as either: one is enough."""
    merged: dict[tuple[int | str, ...], ErrorDetails] = {}
    for detail in details:
        *place, branch = detail["loc"] or ("",)
        is_branch = str(branch).startswith(("literal[", "constrained-", "function-"))
        key = tuple(place) if is_branch else detail["loc"]
        told = merged.setdefault(key, {**detail, "loc": key})
        if told["msg"] != detail["msg"]:
            told["msg"] += f"; or {detail['msg'][0].lower()}{detail['msg'][1:]}"
    return list(merged.values())


def _explain_one(detail: ErrorDetails, model: type[BaseModel], file: Path, prefix: str) -> ConfigError:
    location = [str(part) for part in detail["loc"]]
    cause = detail.get("ctx", {}).get("error")
    value, remedy = detail["input"], detail["msg"]
    if isinstance(cause, ConfigError):
        location, value, remedy = [*location, cause.key], cause.value, cause.remedy
    elif detail["type"] == "extra_forbidden":
        remedy = "unknown key" + _suggestion(location, model)
    elif detail["type"] == "union_tag_invalid":
        context = detail["ctx"]
        tag_not_found = ""
        location, value = [*location, tag_not_found, context["discriminator"].strip("'")], context["tag"]
        remedy = f"expected one of {context['expected_tags']}"
    elif detail["type"] == "missing":
        location, value, remedy = location[:-1], location[-1], "this key is missing"
    shown = ".".join(part for part in [prefix, *_without_tags(location, model)] if part)
    return ConfigError(shown, value, remedy, file)


def _without_tags(location: list[str], model: type[BaseModel]) -> list[str]:
    """Pydantic puts the tag of a union ("ssvgd") into the location; a user never wrote it as a key."""
    if not issubclass(model, Config):
        return location
    tag_at = {"algorithm": 1, "prior": 2}.get(location[0] if location else "")
    return location if tag_at is None else [part for i, part in enumerate(location) if i != tag_at]


def _suggestion(location: list[str], model: type[BaseModel]) -> str:
    owner = _owner(location, model)
    if owner is None:
        return ""
    allowed = list(owner.model_fields)
    close = difflib.get_close_matches(location[-1], allowed, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(allowed)}"


def _owner(location: list[str], model: type[BaseModel]) -> type[BaseModel] | None:
    """The settings class in which a key was found, by the names on the way to it."""
    by_tag: dict[str, type[BaseModel]] = {
        "uniform": UniformSettings,
        "gaussian": GaussianSettings,
        "smooth": SmoothSettings,
        "smoothness": SmoothnessSettings,
        **ALGORITHMS,
        "dispatch": DispatchSettings,
        "run": RunSettings,
    }
    if len(location) == 1:
        return model
    annotation = model.model_fields[location[0]].annotation if location[0] in model.model_fields else None
    nested = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return by_tag.get(location[-2], nested)


def prepend(error: ConfigError, key: str, file: Path) -> ConfigError:
    """The same error with the file it came from, and its key inside a table, where it does not say so itself."""
    if error.file:
        return error
    return ConfigError(".".join(part for part in (key, error.key) if part), error.value, error.remedy, file)


def table(settings: BaseModel) -> dict[str, Any]:
    """The extra keys of settings that leave them to a plugin."""
    return dict(settings.model_extra or {})
