"""What the base's own tests said, kept under everything that it depends on: see `BaseRun` for the key.

Only the coordinator writes these files. What is read back is checked all the same: a file outlives the program that
wrote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from coordinator.models import Frozen

if TYPE_CHECKING:
    from coordinator.gates.cache.kept_files import KeptFiles

MOST_TESTS = 200_000

Outcome = Literal["passed", "xfailed", "skipped", "failure", "error"]


class BaseRecord(Frozen):
    """What is known of the base's tests."""

    outcomes: Annotated[dict[str, Outcome], Field(max_length=MOST_TESTS)]
    """By test id; empty when the run did not come to its end."""
    strict: bool = True
    """Whether they hold under strict pytest."""
    doubt: str = ""
    """Why the base's own run would not be believed, as `Doubt.fault`; empty when it is."""
    fault: str = ""
    """Why there are no outcomes, in words; empty when there are."""
    seconds: float = 0.0
    """Of the run."""

    def having(self, *words: Outcome) -> frozenset[str]:
        """Return the ids of the tests that ended in one of these ways."""
        return frozenset(test for test, word in self.outcomes.items() if word in words)


class KeptRecord(Frozen):
    """A record on disk."""

    key: str
    record: BaseRecord


class BaseRecords:
    """Remembers records: those of this process always, those of earlier ones where there is a folder for them."""

    def __init__(self, files: KeptFiles | None = None) -> None:
        """`files` is where records outlive the process; None where confined commands could write there as well."""
        self._files = files
        self._known: dict[str, BaseRecord] = {}

    def find(self, key: str) -> BaseRecord | None:
        """Return the record under a key, None when there is none."""
        if key not in self._known and self._files is not None:
            kept = _parsed(self._files.read(f"{key}.json"))
            if kept is not None and kept.key == key:
                self._known[key] = kept.record
        return self._known.get(key)

    def keep(self, key: str, record: BaseRecord) -> None:
        """Remember a record. One without outcomes may be the machine's fault: it does not outlive the process."""
        self._known[key] = record
        if self._files is not None and not record.fault:
            self._files.write(f"{key}.json", KeptRecord(key=key, record=record).model_dump_json().encode())


def _parsed(data: bytes | None) -> KeptRecord | None:
    try:
        return None if data is None else KeptRecord.model_validate_json(data)
    except ValidationError:
        return None
