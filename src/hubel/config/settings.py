"""What all groups of settings have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

BYTES_PER_GB = 10**9


class Settings(BaseModel):
    """A group of settings: frozen; a field that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
