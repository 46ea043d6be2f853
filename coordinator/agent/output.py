"""What a command printed, made fit for a model: text without control sequences, bounded, the rest in a file."""

from __future__ import annotations

import os
import re
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

SHOWN = 10_000
"""Characters of one result: about 3 000 tokens. mini-swe-agent shows as much and needs no other context management."""
HEAD = 4_000
"""Of these, how many come from the beginning; the end says more often what went wrong."""
KEPT_FILES = 20
"""Long outputs that stay readable; older ones are removed, so that they cannot fill the disk."""

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC, DCS, SOS, PM, APC: titles, links
    r"|\x1b[ -/]*[0-~]"  # other escapes
)
"""Control sequences of ECMA-48."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(raw: bytes) -> str:
    """Return output as a person would see it on a terminal: no escapes, overwritten progress lines gone."""
    text = _ESCAPE.sub("", raw.decode("utf-8", errors="replace"))
    text = "\n".join(_last_written(line) for line in text.split("\n"))
    return _CONTROL.sub("", text)


def _last_written(line: str) -> str:
    """Return what is left of a line that a carriage return has begun anew, as progress bars do."""
    return line.rstrip("\r").rpartition("\r")[2]


def shorten(text: str, rest: str) -> str:
    """Return the head and the tail of a long text; `rest` says where the whole of it is."""
    if len(text) <= SHOWN:
        return text
    left_out = len(text) - SHOWN
    return f"{text[:HEAD]}\n[… {left_out} characters left out; {rest} …]\n{text[HEAD - SHOWN :]}"


class OutputFiles:
    """A folder for long outputs that the agent can read.

    The folder belongs to the agent's side, which may rename it or put links into it. So it is opened once, before the
    first command runs, and every file is created anew relative to it (``O_EXCL``, ``O_NOFOLLOW``).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._names: deque[str] = deque()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def keep(self, text: str) -> str:
        """Write a text to a new file and return where it is, or why it is nowhere."""
        self._count += 1
        name = f"output-{self._count}.txt"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(name, flags, 0o644, dir_fd=self._descriptor), "wb") as file:
                os.fchmod(file.fileno(), 0o644)  # whatever the umask: another account has to read it
                file.write(text.encode())
            self._names.append(name)
            if len(self._names) > KEPT_FILES:
                os.unlink(self._names.popleft(), dir_fd=self._descriptor)
        except OSError as error:
            return f"they could not be kept ({error.strerror})"
        return f"the whole output is in {self._folder / name}"
