"""The state as files: one of JSON per issue and per day, and one for the totals.

::

    totals.json
    issues/12.json
    days/2026-11-21.json

Keys and files that a later version added are passed over; what it may not misread, a higher `FORMAT` keeps from it.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import Field, ValidationError

from coordinator.errors import Misconfigured
from coordinator.models import Frozen
from coordinator.state.records import DayRecord, IssueRecord, State, Totals

if TYPE_CHECKING:
    from collections.abc import Mapping

F = TypeVar("F", bound=Frozen)

FORMAT: Final = 1
"""Raised when older versions would misread what is written."""

TOTALS: Final = "totals.json"
_ISSUE: Final = re.compile(r"issues/([1-9][0-9]{0,17})\.json")
_DAY: Final = re.compile(r"days/([0-9]{4}-[0-9]{2}-[0-9]{2})\.json")


class _TotalsFile(Frozen):
    format: int = Field(ge=1)
    folded: Totals = Totals()


def is_ours(path: str) -> bool:
    """Whether a file is part of the state, as far as this version knows."""
    return path == TOTALS or bool(_ISSUE.fullmatch(path) or _DAY.fullmatch(path))


def decode(files: Mapping[str, bytes], *, place: str, mend: str) -> State:
    """Read the state from its files, by path. `place` says in messages where they are, `mend` how to be rid of them.

    Raises `Misconfigured` for a file that does not hold what it should, and for the state of a later version.
    """
    if not files:
        return State()
    totals = _parsed(_TotalsFile, files.get(TOTALS, b""), f"{TOTALS} of {place}", mend)
    if totals.format > FORMAT:
        raise Misconfigured(
            f"{place} was written by a later version of the coordinator (format {totals.format}, known is {FORMAT})",
            mend="Use one version of the coordinator in all workflows of the repository, the newest",
        )
    issues: dict[int, IssueRecord] = {}
    days: dict[date, DayRecord] = {}
    for path, data in files.items():
        where = f"{path} of {place}"
        if found := _ISSUE.fullmatch(path):
            issue = _parsed(IssueRecord, data, where, mend)
            issues[_same(issue.number, int(found[1]), where, mend)] = issue
        elif found := _DAY.fullmatch(path):
            day = _parsed(DayRecord, data, where, mend)
            days[_same(day.day, _date(found[1], where, mend), where, mend)] = day
    return State(issues=issues, days=days, folded=totals.folded)


def differences(before: State, after: State, *, complete: bool) -> dict[str, bytes | None]:
    """Return the files that a change of the state writes, None for those that it deletes.

    `complete` for a place that has no files yet.
    """
    changed: dict[str, bytes | None] = {}
    for number in before.issues.keys() | after.issues.keys():
        if (issue := after.issues.get(number)) != before.issues.get(number):
            changed[f"issues/{number}.json"] = _written(issue)
    for day in before.days.keys() | after.days.keys():
        if (record := after.days.get(day)) != before.days.get(day):
            changed[f"days/{day.isoformat()}.json"] = _written(record)
    if complete or after.folded != before.folded:
        changed[TOTALS] = _written(_TotalsFile(format=FORMAT, folded=after.folded))
    return changed


def _written(record: Frozen | None) -> bytes | None:
    return None if record is None else f"{record.model_dump_json(indent=1, exclude_defaults=True)}\n".encode()


def _parsed(kind: type[F], data: bytes, where: str, mend: str) -> F:
    try:
        return kind.model_validate_json(data, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise _broken(where, f"{key}: {first['msg']}" if key else first["msg"], mend) from None


def _date(text: str, where: str, mend: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _broken(where, "its name is no day", mend) from None


_Key = TypeVar("_Key", int, date)


def _same(inside: _Key, name: _Key, where: str, mend: str) -> _Key:
    if inside != name:
        raise _broken(where, f"it is about {inside}", mend)
    return name


def _broken(where: str, why: str, mend: str) -> Misconfigured:
    return Misconfigured(f"{where} is broken ({' '.join(why.split())})", mend=mend)
