"""Trying from inside whether the confinement holds, before anything hostile runs in it."""

from __future__ import annotations

import ctypes
import os
import secrets as randomness
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.sandbox.protocol import Command, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.sandbox.protocol import Sandbox

_MARK = "== "
_LIMITS = Limits(seconds=60, output_bytes=64 * 1024 * 1024)

_COLLECT = r"""
echo "== its own environment"; env
for place in /proc/[0-9]*; do
    for name in environ cmdline; do
        echo; echo "== $place/$name"; head -c 262144 "$place/$name"
    done
done 2>/dev/null
echo; echo "== memory of the coordinator"
dd if="/proc/$1/mem" bs=1 skip="$2" count="$3" 2>/dev/null
exit 0
"""
"""Prints all that a process can see of others; the coordinator looks for secrets in it, so that none is handed in."""


def self_test(sandbox: Sandbox, secrets: Sequence[str] = ()) -> str | None:
    """Say what a confined command could read of the coordinator, or None when that is nothing.

    A canary is put into this process's memory; `secrets` are looked for as well, in every environment and command line
    that a confined command can read: with them a parent process that holds a secret is found. No secret is in the
    answer, which is one line.
    """
    canary = randomness.token_hex(24)
    memory = ctypes.create_string_buffer(canary.encode())
    place = str(ctypes.addressof(memory))
    argv = ("sh", "-c", _COLLECT, "sh", str(os.getpid()), place, str(len(canary)))
    result = sandbox.run(Command(argv=argv, cwd=Path("/"), limits=_LIMITS))
    if not result.ok or result.truncated:
        return "the self-test itself did not come to its end, so nothing is known about the confinement"
    return _leak(result.stdout.decode(errors="replace"), [canary, *filter(None, secrets)])


def _leak(seen: str, wanted: Sequence[str]) -> str | None:
    place = ""
    for line in seen.split("\n"):
        if line.startswith(_MARK):
            place = line.removeprefix(_MARK)
        elif any(secret in line for secret in wanted):
            return f"a confined command can read a secret in {place}"
    return None
