"""Carrying out checks one after the other, so that none of them can end the others."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from coordinator.doctor.models import Check, Finding, Group, bad, doubtful
from coordinator.errors import CoordinatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_PACKAGE = Path(__file__).parents[1]


class NotKnown(Exception):
    """Something that a check needs could not be found out; another check says why."""


class Once(Generic[T]):
    """Something that several checks need, looked for at its first use and then kept: the value, or that there is none.

    One check is about the thing itself and calls `find`; all others call `needed`.
    """

    def __init__(self, what: str, look: Callable[[], T]) -> None:
        """Take what completes "not checked, because … is not known", and how to look for it."""
        self._what = what
        self._look = look
        self._found: list[T] = []
        self._failed: Exception | None = None

    def find(self) -> T:
        """Return it, or raise what stood in the way, every time the same."""
        if self._failed is not None:
            raise self._failed
        if not self._found:
            try:
                self._found.append(self._look())
            except Exception as error:
                self._failed = error
                raise
        return self._found[0]

    def needed(self) -> T:
        """Return it, or raise `NotKnown`."""
        try:
            return self.find()
        except NotKnown:
            raise
        except Exception:  # noqa: BLE001  (the check that is about it reports the very error)
            raise NotKnown(self._what) from None


@dataclass(frozen=True, slots=True)
class Examination:
    """One thing to look at."""

    group: Group
    name: str
    look: Callable[[], Iterable[Finding]]
    """May raise anything; what was found before still counts."""


def examine(examinations: Iterable[Examination]) -> Iterator[Check]:
    """Carry out all examinations in order, and give the checks as they are made.

    An expected failure becomes an error with its mend, what misses something a warning, and a fault in a check itself
    an error that names its place, not its text, which may hold anything.
    """
    for examination in examinations:
        for finding in findings_of(examination):
            name = finding.name or examination.name
            yield Check(
                group=examination.group,
                name=name,
                state=finding.state,
                message=finding.message,
                mend=finding.mend,
            )


def findings_of(examination: Examination) -> Iterator[Finding]:
    """Give what one examination finds, and what ended it as its last finding."""
    try:
        yield from examination.look()
    except NotKnown as missing:
        yield doubtful(f"not checked, because {missing} is not known", "Mend that first")
    except CoordinatorError as error:
        yield bad(error.what, error.mend)
    except Exception as error:  # noqa: BLE001  (a fault in one check must not end the others)
        yield bad(f"the check itself failed: {type(error).__name__} in {_place(error)}", "Report this line")


def _place(error: Exception) -> str:
    """Name the last place of this package that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)][-1]
    return f"{Path(last.filename).name}:{last.lineno}"
