"""What all settings have in common."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vip.errors import ConfigError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Base of all settings: frozen, and unknown keys are errors.

    Attributes
    ----------
    renamed : mapping
        New name of each key that had another, and the version in which the old name goes: ``{"steps": ("iterations", "0.3")}``.
        Until then, two minor versions after the new name came, the old one works and warns.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    renamed: ClassVar[Mapping[str, tuple[str, str]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _with_new_names(cls, data: Any) -> Any:
        """Put new names in place of old ones, with a warning for each."""
        old_names = [key for key in cls.renamed if isinstance(data, Mapping) and key in data]
        if not old_names:
            return data
        values = dict(data)
        for old in old_names:
            new, goes = cls.renamed[old]
            if new in values:
                raise ConfigError(old, values[old], f"is the old name of {new!r}, which is given too: remove {old!r}")
            values[new] = values.pop(old)
            warnings.warn(f"key {old!r} is now {new!r}; the old name works until version {goes}", FutureWarning, stacklevel=2)
        return values
