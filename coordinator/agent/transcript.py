"""What was said and done in one agent step, as lines of JSON that survive a kill.

One event per line: ``{"event": "message", "time": 1760000000.0, ...}``. The events:

=========== ============================================================================================================
``resumed`` before ``start``, where an earlier run is gone on with: `run`, `how`, and the last `note` and `verdict`
``start``   profile and model. After it comes every message of the history that the step starts with
``message`` one entry of the history with its raw blocks; `masked` where a secret was taken out of it
``usage``   what the step has used so far, and its cost
``verdict`` what a submission was told
``reset``   a new history takes the place of the one so far: kind, note, sizes, cost. Its first message comes next
``end``     how the step ended, and why
``cut``     only in a copy: so many bytes of messages were left out here
=========== ============================================================================================================

So the messages after the last ``start`` or ``reset`` are the history of the conversation. A torn last line is what a
kill leaves, and is closed on the next opening. `coordinator.agent.replay` reads what is written here.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from coordinator.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self


_LEADING = {"start": ("resumed",), "reset": ("resumed", "start", "verdict")}
"""The earlier lines that a history builds on, by the event that it begins with."""


def _nobody(_event: str, _fields: Mapping[str, object]) -> None:
    """Do nothing with an event."""


class Transcript:
    """Appends events to a file, each one masked, flushed and synced before anything else happens.

    Raises `Unreachable` when the file cannot be written: what is not on record must not run.
    """

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        """Open the file for appending, readable by its owner only. `redact` masks the secrets in a text."""
        self.path = path
        self.listener: Callable[[str, Mapping[str, object]], None] = _nobody
        """Is told the name and the fields of every event that is on disk by then."""
        self._redact = redact
        self._last: dict[str, bytes] = {}
        self._since = 0
        self._leading = b""
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(path, flags, 0o600), "rb+", buffering=0)
            self._close_torn_line()
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, event: str, **fields: object) -> None:
        """Append one event. `fields` hold whatever JSON can hold."""
        masked = self._masked(fields)
        line = f"{json.dumps({'event': event, 'time': round(time.time(), 3), **masked})}\n".encode()
        self._remember(event, line)
        self._append(line)
        self.listener(event, fields)

    def history(self, limit: int) -> bytes:
        """Return the lines that are needed to go on from here; nothing before the first start.

        Those are all since the last start or reset, and the earlier ones that say what it is about. Of messages of more
        than `limit` bytes only the last ones are in it.
        """
        if "start" not in self._last:
            return b""
        with self.path.open("rb") as file:
            file.seek(self._since)
            first, messages = file.readline(), file.read()
        if len(messages) > limit:
            kept = messages[-limit:].partition(b"\n")[2]
            cut = json.dumps({"event": "cut", "bytes": len(messages) - len(kept)})
            messages = f"{cut}\n".encode() + kept
        return self._leading + first + messages

    def _remember(self, event: str, line: bytes) -> None:
        """Take note of where the history begins, and of the earlier lines that belong to it."""
        if event in _LEADING:
            self._since = self._file.seek(0, os.SEEK_END)
            self._leading = b"".join(self._last.get(name, b"") for name in _LEADING[event])
        if event == "start":
            self._last.pop("verdict", None)
        if event in {"resumed", "start", "verdict"}:
            self._last[event] = line

    def _masked(self, fields: dict[str, object]) -> dict[str, object]:
        found: list[str] = []
        masked = {name: self._mask(value, found) for name, value in fields.items()}
        return {**masked, "masked": True} if found else masked

    def _mask(self, value: object, found: list[str]) -> object:
        """Mask every text in a value, and list those that changed.

        That is done before it becomes JSON, where a secret may look different.
        """
        if isinstance(value, str):
            clean = self._redact(value)
            if clean != value:
                found.append(clean)
            return clean
        if isinstance(value, dict):
            return {str(self._mask(str(name), found)): self._mask(part, found) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._mask(part, found) for part in value]
        return value

    def _append(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _close_torn_line(self) -> None:
        if self._file.seek(0, os.SEEK_END) and os.pread(self._file.fileno(), 1, self._file.tell() - 1) != b"\n":
            self._append(b"\n")

    def _unwritable(self, error: OSError) -> Unreachable:
        return Unreachable(
            f"The transcript {self.path} cannot be written: {error.strerror}",
            mend="Make room on that disk, or make its folder writable, then run again",
        )
