"""Which process of this machine has a claim, and whether it is still there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_START_FIELD = 22 - 3
_STATE_FIELD = 3 - 3
"""Counted from the one behind the name (proc(5), "/proc/pid/stat", fields 22 and 3)."""


def this_process() -> str:
    """Name this process so that nobody mistakes another one for it: ``host/boot/namespace/pid/start``.

    Empty where the system does not tell, as on macOS.
    """
    pid = os.getpid()
    fields = _stat(pid)
    return f"{_here()}/{pid}/{fields[_START_FIELD]}" if fields and _here() else ""


def process_is_gone(process: str) -> bool | None:
    """Whether a process of `this_process` has ended; None where that cannot be seen from here.

    Only the same boot of the same kernel and the same process namespace count as here: two machines may have one name.
    """
    place, _, numbers = process.rpartition("/")
    place, _, pid = place.rpartition("/")
    if not place or place != _here() or not pid.isdecimal():
        return None
    if not _exists(int(pid)):
        return True
    fields = _stat(int(pid))
    if fields is None:
        return None
    return fields[_START_FIELD] != numbers or fields[_STATE_FIELD] in {"Z", "X"}


def _here() -> str:
    try:
        return f"{socket.gethostname()}/{_BOOT.read_text().strip()}/{_NAMESPACE.readlink()}"
    except OSError:
        return ""


def _exists(pid: int) -> bool:
    """Whether there is such a process; true for one of another user as well, which /proc may hide (``hidepid``)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _stat(pid: int) -> list[str] | None:
    """Return the fields behind the name, which stands in brackets and may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
