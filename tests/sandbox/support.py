"""Ways to run commands in a sandbox, and a whole coordinator as root or as an ordinary user."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Command, CommandResult, Limits, Network, Sandbox
from tests.sandbox import measuring

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).parents[2]
IS_ROOT: Final = os.geteuid() == 0

HEAD = """
import os, subprocess, sys, threading, time
from pathlib import Path
sys.path.insert(0, {repository!r})
from coordinator.sandbox.kernel import hide_process
hide_process()
from coordinator.errors import Misconfigured, Unreachable
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Command, Limits, Network
from coordinator.sandbox.selftest import self_test
def sh(sandbox, script, seconds=20, **more):
    return sandbox.run(Command(argv=("bash", "-c", script), cwd=Path("/"), limits=Limits(seconds=seconds), **more))
"""


def head(*, measured: bool = False) -> str:
    """Give what every script begins with."""
    begin = measuring.coordinator_head() + HEAD.format(repository=str(REPOSITORY))
    return begin + measuring.launchers_head() if measured else begin


def sh(
    sandbox: Sandbox,
    script: str,
    *,
    cwd: Path = Path("/"),
    limits: Limits | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    merge_stderr: bool = False,
    network: Network = Network.OPEN,
) -> CommandResult:
    """Run a bash script confined."""
    return sandbox.run(
        Command(
            argv=("bash", "-c", script),
            cwd=cwd,
            limits=limits or Limits(seconds=20),
            env=env or {},
            stdin=stdin,
            merge_stderr=merge_stderr,
            network=network,
        )
    )


def python(sandbox: Sandbox, script: str, *, seconds: float = 20, file_bytes: int = 1 << 31) -> CommandResult:
    """Run a Python script confined, with the interpreter of the tests."""
    argv = (sys.executable, "-I", "-c", script)
    return sandbox.run(Command(argv=argv, cwd=Path("/"), limits=Limits(seconds=seconds, file_bytes=file_bytes)))


def coordinator(script: str, *prefix: str, env: Mapping[str, str] | None = None) -> str:
    """Run a script that opens sandboxes in a process of its own, with a real environment; gives what it printed.

    The script comes by standard input: a command line can be read by everybody.
    """
    argv = [*prefix, sys.executable, "-B", "-"]
    environment = {"PATH": os.environ["PATH"], **(env or {})}
    text = head(measured=bool(prefix)) + script
    done = subprocess.run(argv, env=environment, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ordinary_coordinator(script: str, env: Mapping[str, str] | None = None, *, measured: bool = False) -> str:
    """Do the same as a user who is not root, and who can see the interpreter wherever it is."""
    if not IS_ROOT:
        return coordinator(script, env=env)
    with open_sandbox(visible=(*interpreter_paths(), REPOSITORY)) as outer:
        argv = (sys.executable, "-B", "-")
        text = head(measured=measured) + script
        limits = Limits(seconds=60)
        done = outer.run(Command(argv=argv, cwd=Path("/"), limits=limits, env=env or {}, stdin=text.encode()))
    assert done.ok, done
    return done.stdout.decode()


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that is dead and not yet waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def processes_of(uid: int) -> list[str]:
    """List what a uid is running."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            text = (process / "status").read_text(encoding="utf-8", errors="replace")
            if f"\nUid:\t{uid}\t" in text and "State:\tZ" not in text:
                found.append(text.splitlines()[0])
    return found
