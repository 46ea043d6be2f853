"""The few kernel calls that Python has no function for, by ctypes, with the standard library only.

Numbers are those of `linux/prctl.h`, `linux/sched.h`, `linux/mount.h` and `linux/sockios.h`; they are the same on every
architecture that the coordinator runs on. Each function raises `OSError` with the kernel's errno when refused.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from functools import cache

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

_PR_SET_PDEATHSIG = 1
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

_AF_INET = 2
_SOCK_DGRAM = 2
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_INTERFACE_REQUEST = struct.Struct("16sH22x")
"""`struct ifreq`: name, flags, and the rest of its 40 bytes."""


def hide_process() -> None:
    """Close the memory and the environment of this process to other processes of its uid (PR_SET_DUMPABLE 0).

    To be called first, before a secret is read. It does not hold against root, and it does not cover the parent: a
    shell that started us with secrets in its environment stays readable, so it has to end in `exec`.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def process_is_hidden() -> bool:
    """Say whether `hide_process` holds for this process."""
    return bool(_libc().prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)


def become_subreaper() -> None:
    """Let orphaned descendants become children of this process instead of init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges() -> None:
    """Make setuid bits and file capabilities without effect for this process and all it starts."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(signal_number: int) -> None:
    """Get a signal when the parent dies. A change of uid clears this: call it afterwards."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def unshare(flags: int) -> None:
    """Leave the namespaces named by the CLONE_NEW* flags for new ones."""
    _check(_libc().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Attach a file system, or change how one is attached."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(_libc().mount(*arguments), target)


def bring_loopback_up() -> None:
    """Switch the loopback interface of the current network namespace on."""
    descriptor: int = _libc().socket(_AF_INET, _SOCK_DGRAM, 0)
    _check(min(descriptor, 0), "socket")
    try:
        answer = fcntl.ioctl(descriptor, _SIOCGIFFLAGS, _INTERFACE_REQUEST.pack(b"lo", 0))
        _, flags = _INTERFACE_REQUEST.unpack(answer)
        fcntl.ioctl(descriptor, _SIOCSIFFLAGS, _INTERFACE_REQUEST.pack(b"lo", flags | _IFF_UP))
    finally:
        os.close(descriptor)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc().prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero), "prctl")


def _check(answer: int, name: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
