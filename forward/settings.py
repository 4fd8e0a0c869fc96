"""What the settings of all plugins have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Base: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
