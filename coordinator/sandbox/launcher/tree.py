"""Ending the descendants of this process, whatever they do.

Processes are found in /proc by their parent, never by uid: commands run side by side under one uid. What a killed
process leaves behind becomes our child in turn (PR_SET_CHILD_SUBREAPER), and the pid of an own child cannot be used
again before we have waited for it, so that killing own children, again and again, ends all and hits nobody else.
"""

# Importing pathlib would cost the launcher a third of its start.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BOMB = 16
"""Children that are more than a program leaves by accident."""
_ROUNDS = 20


def children(parent: int) -> Iterator[int]:
    """Yield the children of a process, the dead ones too, newest first and each as soon as it is found.

    Newest first and at once, because something that forks and exits in a circle is gone a fraction of a millisecond
    after it was listed. The kernel's own list (/proc/PID/task/TID/children) is an option that not every kernel has.
    """
    for pid in sorted(_pids(), reverse=True):
        if parent_of(pid) == parent:
            yield pid


def descendants(ancestor: int) -> set[int]:
    """Find the children of a process, their children, and so on."""
    offspring: dict[int, list[int]] = {}
    for pid in _pids():
        offspring.setdefault(parent_of(pid), []).append(pid)
    found: set[int] = set()
    generation = offspring.get(ancestor, [])
    while generation:
        found.update(generation)
        generation = [pid for parent in generation for pid in offspring.get(parent, ())]
    return found


def freeze(ancestor: int) -> None:
    """Stop all descendants, until no new ones appear.

    What stands still holds its place under the bound on processes, so that a fork bomb cannot grow again while it is
    being killed.
    """
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        found = descendants(ancestor)
        if found <= stopped:
            return
        for pid in found - stopped:
            _stop(pid, {ancestor, *found})
        stopped |= found


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each; one that is gone already is no error."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def parent_of(pid: int) -> int:
    """Read the second field after the name, which stands in brackets and may itself hold brackets and blanks."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read()
    except OSError:
        return 0
    return int(text[text.rindex(b")") + 2 :].split(b" ", 2)[1])


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stop(pid: int, family: set[int]) -> None:
    """Stop a process that is no own child: it is held first, and then looked at again, as its pid may be a new one."""
    try:
        held = os.pidfd_open(pid)
    except OSError:  # it is gone, or the kernel is older than 5.3
        return
    try:
        if parent_of(pid) in family:
            signal.pidfd_send_signal(held, signal.SIGSTOP)
    except ProcessLookupError:
        return
    finally:
        os.close(held)
