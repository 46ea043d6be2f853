"""The records of an examination."""

from __future__ import annotations

from enum import StrEnum

from coordinator.models import Frozen


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works with less, or could not be found out."""
    ERROR = "error"
    """Issues cannot be worked on like this, or not safely."""


class Group(StrEnum):
    """What a check is about."""

    MACHINE = "machine"
    SERVER = "server"
    TOKEN = "token"  # noqa: S105  (no secret, a word)
    REPOSITORY = "repository"
    WORKFLOW = "workflow"
    SECRETS = "secrets"
    MODELS = "models"
    CONFIGURATION = "configuration"


class Check(Frozen):
    """One line of the report."""

    group: Group
    name: str
    state: State
    message: str
    """What was found, one line."""
    mend: str = ""
    """What to do about it, one line; empty where there is nothing to do."""


class Finding(Frozen):
    """What one look has found; it becomes a `Check` of the group and name that were looked at."""

    state: State
    message: str
    mend: str = ""
    name: str = ""
    """Takes the place of the check's name, where one look finds several things."""


def good(message: str, *, name: str = "") -> Finding:
    """Return a finding that needs nothing."""
    return Finding(state=State.OK, message=message, name=name)


def doubtful(message: str, mend: str, *, name: str = "") -> Finding:
    """Return a finding that somebody should know."""
    return Finding(state=State.WARNING, message=message, mend=mend, name=name)


def bad(message: str, mend: str, *, name: str = "") -> Finding:
    """Return a finding that has to be mended."""
    return Finding(state=State.ERROR, message=message, mend=mend, name=name)
