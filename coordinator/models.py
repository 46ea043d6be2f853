"""The base of every typed record of this package."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A record of our own making: immutable, and an unknown field is a bug."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Foreign(BaseModel):
    """A record that somebody else wrote (a forge, a tool): immutable, unknown fields are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")
