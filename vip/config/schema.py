"""Settings of a whole configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from vip.config.dispatch import DispatchSettings
from vip.config.method import MethodSettings
from vip.config.priors import PriorSettings
from vip.errors import ConfigError
from vip.methods.base import Method
from vip.settings import Positive, Settings


class RunSettings(Settings):
    """Settings that say where and how often a run is saved. A relative `output` is beside the configuration file.

    `on_failure` says what becomes of a particle whose forward fails: the run stops, the particle is held where only the others
    move it, or it takes the place of another, see `vip.protocols.Resamples`. Algorithms that accept or reject steps reject it,
    whatever this key says; the report has the number of failures.
    """

    output: Path | None = None
    checkpoint_seconds: Positive = 30.0
    on_failure: Literal["raise", "hold", "resample"] = "raise"


class ForwardSettings(Settings):
    """The forward plugin; it checks all other keys, which are its own."""

    model_config = ConfigDict(frozen=True, extra="allow")
    plugin: str


SCHEMA = 1
"""Version of the meaning of a configuration's keys."""


class Plan(Settings):
    """Plan for a problem: which method runs, who evaluates the particles, and how the run is saved."""

    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    algorithm: MethodSettings
    dispatch: DispatchSettings = DispatchSettings()
    run: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _resampled(self) -> Plan:
        name = self.algorithm.name
        if self.run.on_failure == "resample" and not self.algorithm.may_be_moved:
            raise ConfigError("run.on_failure", "resample", f"{name} has no particles that may be moved: use 'hold'")
        return self


class Config(Plan):
    """A whole configuration file."""

    schema_number: Annotated[int, Field(alias="schema")] = SCHEMA
    forward: ForwardSettings
    prior: dict[str, PriorSettings] = Field(default_factory=dict)

    @field_validator("schema_number")
    @classmethod
    def _schema_is_read(cls, number: int) -> int:
        if number != SCHEMA:
            raise ConfigError("", number, f"this release reads schema {SCHEMA}: use the release it was made for")
        return number

    def without_method(self) -> Config:
        """The same configuration for processes that evaluate, which need no method and may not find the class of a user's."""
        return self.model_copy(update={"algorithm": Method()})
