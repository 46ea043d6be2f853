"""The second net: what a confined command left behind when its supervisor was killed.

This process adopts the orphans of its supervisors (`kernel.become_subreaper`). They are told from its own children by
two marks that no process can take off: a session other than ours, and no-new-privileges. A coordinator that has
no-new-privileges itself (some containers) has to go by the session alone.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from coordinator.sandbox.launcher import tree

KILL_SECONDS = 10.0
_PAUSE_SECONDS = 0.005


def end_orphans(seconds: float = KILL_SECONDS) -> bool:
    """Kill and collect adopted processes until there are none; False when some are left after that many seconds."""
    deadline = time.monotonic() + seconds
    while _end_those_found():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def _end_those_found() -> int:
    """Kill and collect each adopted process once; gives how many there were."""
    found = 0
    for pid in tree.children(os.getpid()):
        if _is_adopted(pid):
            found += 1
            tree.send((pid,), signal.SIGKILL)
            with suppress(ChildProcessError):  # another thread was faster
                os.waitpid(pid, os.WNOHANG)
    return found


def _is_adopted(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
        return os.getsid(pid) != os.getsid(0) and b"\nNoNewPrivs:\t0" not in status
    except OSError:
        return False
