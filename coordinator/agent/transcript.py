"""What was said and done in one agent step, as lines of JSON that survive a kill.

One event per line: ``{"event": "message", "time": 1760000000.0, ...}``. The events are ``start`` (profile and model),
``message`` (one entry of the history with its raw blocks; the first is the task), ``usage``, ``verdict`` and ``end``.
The messages in order are the history of the conversation; a torn last line is what a kill leaves, and is closed on the
next opening.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from coordinator.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class Transcript:
    """Appends events to a file, each one masked, flushed and synced before anything else happens.

    Raises `Unreachable` when the file cannot be written: what is not on record must not run.
    """

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        """Open the file for appending, readable by its owner only. `redact` masks the secrets in a text."""
        self.path = path
        self._redact = redact
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
        line = json.dumps({"event": event, "time": round(time.time(), 3), **self._masked(fields)})
        self._append(f"{line}\n".encode())

    def _masked(self, fields: dict[str, object]) -> dict[str, object]:
        return {name: self._mask(value) for name, value in fields.items()}

    def _mask(self, value: object) -> object:
        """Mask every text in a value. Before it becomes JSON, where a secret may look different."""
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, dict):
            return {self._redact(str(name)): self._mask(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._mask(part) for part in value]
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
