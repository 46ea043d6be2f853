"""The few exceptions of the coordinator, each with its exit code and with what the user can do about it.

::

    CoordinatorError
    ├── Misconfigured    2  wrong use, configuration, event, key or token
    ├── Refused          3  verification did not let the run start
    ├── BudgetExceeded   1  a limit on money, tokens, turns or time was reached
    └── Unreachable      4  forge, model or runner failed in a way that a re-run may mend

They are caught once, at the edge (`coordinator.cli`), and become one line on standard error.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller. Never `DONE` when the work is not done."""

    DONE = 0
    """Done, or rightly nothing to do."""
    NOT_ACCEPTED = 1
    """Worked, but the result was not accepted."""
    MISUSE = 2
    """Wrong use or configuration."""
    REFUSED = 3
    """Verification refused the event."""
    RETRYABLE = 4
    """The forge, the model or the runner failed; a re-run may mend it."""


class CoordinatorError(Exception):
    """An expected failure: what happened and where (`what`), and what to do about it (`mend`).

    Both are one line without a secret in it; `str()` gives them together.
    """

    exit_code: ClassVar[ExitCode]

    def __init__(self, what: str, *, mend: str) -> None:
        super().__init__(what, mend)
        self.what = what.rstrip(".")
        self.mend = mend.rstrip(".")

    def __str__(self) -> str:
        return f"{self.what}. {self.mend}."


class Misconfigured(CoordinatorError):
    """Wrong use, configuration, event file, key or token: a person has to change something."""

    exit_code = ExitCode.MISUSE


class Refused(CoordinatorError):
    """The event does not give the right to start a run."""

    exit_code = ExitCode.REFUSED


class BudgetExceeded(CoordinatorError):
    """A limit on money, tokens, turns or time was reached before the work was accepted."""

    exit_code = ExitCode.NOT_ACCEPTED


class Unreachable(CoordinatorError):
    """The forge, the model or the runner failed, after all tries, in a way that a re-run may mend."""

    exit_code = ExitCode.RETRYABLE
