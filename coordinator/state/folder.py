"""The state in a folder of this machine, for repositories without a forge."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from coordinator.errors import Misconfigured
from coordinator.forge.local_files import locked, write_whole
from coordinator.models import Foreign
from coordinator.state.files import decode, differences, is_ours
from coordinator.state.folding import fold
from coordinator.state.records import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_PENDING: Final = "pending.json"


class _Pending(Foreign):
    """A change that is decided on and may not be carried out yet."""

    files: dict[str, str | None]
    """Text by path; None for a file that is to be deleted."""


class FolderStateStore:
    """A `StateStore` in a folder, safe for threads and processes of one machine.

    A change is written down as a whole first; whoever comes next carries out what was broken off. All methods raise
    `Misconfigured` for a folder that cannot be used and for a broken file, and `Unreachable` when another process does
    not let go of it.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = folder
        self._now = now

    def read(self) -> State:
        """Return the newest state. A folder that is not there is not made."""
        if not self._folder.exists():
            return State()
        with self._held():
            return self._read()

    def change(self, why: str, edit: Callable[[State], State]) -> State:  # noqa: ARG002  (no history is kept here)
        """Change the state as `StateStore.change` says."""
        with self._held():
            before = self._read()
            edited = edit(before)
            if edited == before:
                return before
            after = fold(edited, self._now())
            self._write(differences(before, after, complete=not self._files()))
            return after

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the lock, and finish what somebody was killed over."""
        with locked(self._folder / "lock"), self._explained():
            self._finish_pending()
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Misconfigured(
                f"The state in {self._folder} cannot be read and written ({error.strerror})",
                mend="Make room on the disk, and let this user write there",
            ) from None

    def _files(self) -> list[Path]:
        found = (path for path in self._folder.glob("**/*.json") if path.is_file())
        return [path for path in found if is_ours(path.relative_to(self._folder).as_posix())]

    def _read(self) -> State:
        files = {path.relative_to(self._folder).as_posix(): path.read_bytes() for path in self._files()}
        mend = f"Put it right, or delete the folder {self._folder}: all claims and costs are forgotten then"
        return decode(files, place=str(self._folder), mend=mend)

    def _write(self, changed: Mapping[str, bytes | None]) -> None:
        pending = _Pending(files={name: None if data is None else data.decode() for name, data in changed.items()})
        write_whole(self._folder / _PENDING, pending.model_dump_json().encode())
        self._carry_out(pending)

    def _finish_pending(self) -> None:
        path = self._folder / _PENDING
        if not path.exists():
            return
        try:
            pending = _Pending.model_validate_json(path.read_bytes())
        except ValidationError:
            raise Misconfigured(f"{path} is broken", mend="Delete it: one change of the state is lost") from None
        self._carry_out(pending)

    def _carry_out(self, pending: _Pending) -> None:
        """Write the files; doing it again changes nothing."""
        for name, text in pending.files.items():
            path = self._folder / name
            if not is_ours(name):
                continue
            if text is None:
                path.unlink(missing_ok=True)
            else:
                write_whole(path, text.encode())
        (self._folder / _PENDING).unlink(missing_ok=True)
