"""Ending the children of this process, whatever they do.

Processes are found in /proc by their parent, never by uid: commands run side by side under one uid. Only own children
get a signal: their pids cannot be used again before we have waited for them, and what they leave behind becomes our
child in turn (PR_SET_CHILD_SUBREAPER).
"""

# Importing pathlib would cost the launcher a third of its start.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def children(parent: int) -> Iterator[int]:
    """Yield the children of a process, the dead ones too, newest first and each as soon as it is found.

    Newest first and at once, because something that forks and exits in a circle is gone a fraction of a millisecond
    after it was listed. The kernel's own list (/proc/PID/task/TID/children) is an option that not every kernel has.
    """
    for pid in sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True):
        if _parent_of(pid) == parent:
            yield pid


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each; one that is gone already is no error."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _parent_of(pid: int) -> int:
    """Read the second field after the name, which stands in brackets and may itself hold brackets and blanks."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read()
    except OSError:
        return 0
    return int(text[text.rindex(b")") + 2 :].split(b" ", 2)[1])
