"""One supervisor process, seen from the coordinator: start it, hear its report, and see to it that it ends."""

from __future__ import annotations

import json
import marshal
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self, cast

from coordinator.errors import Unreachable
from coordinator.sandbox.launcher import LENGTH_BYTES
from coordinator.sandbox.orders import Order, Report
from coordinator.sandbox.orphans import end_orphans

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

PACKAGE_ROOT = Path(__file__).parents[2]
_CHUNK = 1 << 16

_BOOT = """
import os, sys
sys.path.append(sys.argv[1])
from coordinator.sandbox.launcher.supervisor import main
main()
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Launcher:
    """How a supervisor is started: isolated, with an environment that holds nothing but what its interpreter needs."""

    argv: tuple[str, ...] = (sys.executable, "-I", "-S", "-c", _BOOT, str(PACKAGE_ROOT))
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 45.0
    """Seconds that a supervisor has beyond its command's time limit to start on a busy machine, to end what is left
    (at most about 12) and to report."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What is known when a supervisor is gone."""

    report: Report | None
    """None when it was killed before it could write one."""
    returncode: int
    """Of the supervisor itself, negative for a signal."""
    overdue: bool
    """It did not keep the command's time limit and was killed by us."""
    clean: bool
    """No process is left."""
    stdout: bytes
    stderr: bytes
    complaint: str
    """Last line that the supervisor itself wrote."""
    seconds: float


class Running:
    """A supervisor that waits for its order. Leaving the context ends it and all that it started."""

    def __init__(self, launcher: Launcher, scratch: Path, stdin: bytes) -> None:
        """Start it; files that only the coordinator opens by name are made in `scratch` and have no name there."""
        self._files = ExitStack()
        try:
            self._stdin = self._files.enter_context(_readable(stdin, scratch)) if stdin else None
            self._stdout = self._files.enter_context(_nameless(scratch))
            self._stderr = self._files.enter_context(_nameless(scratch))
            self._complaints = self._files.enter_context(_nameless(scratch))
            self._process = self._start(launcher)
        except OSError as error:
            self._files.close()
            raise Unreachable(
                f"cannot start the launcher of confined commands: {error}", mend="Run again when the machine has room"
            ) from error
        self._control = cast("IO[bytes]", self._process.stdin)
        self._report = cast("IO[bytes]", self._process.stdout)
        self._started = time.monotonic()
        self._patience = launcher.patience
        self._overdue = False
        self._clean = True

    def _start(self, launcher: Launcher) -> subprocess.Popen[bytes]:
        """Start the supervisor in a group of its own, where no Ctrl-C reaches it, but in our session: see `orphans`."""
        files = (self._stdin, self._stdout, self._stderr)
        return subprocess.Popen(
            launcher.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            cwd="/",
            env=dict(launcher.environment),
            pass_fds=[file.fileno() for file in files if file is not None],
            process_group=0,
            bufsize=0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end_surely()
        finally:
            self._files.close()

    def carry_out(self, order: Order, *, merged: bool) -> Ended:
        """Give the order, wait for the report, end the supervisor, and read what the command wrote."""
        order = {
            **order,
            "stdin": None if self._stdin is None else self._stdin.fileno(),
            "stdout": self._stdout.fileno(),
            "stderr": None if merged else self._stderr.fileno(),
        }
        text = marshal.dumps(json.loads(json.dumps(order)))  # a member of an enum becomes a plain text or number
        self._send(len(text).to_bytes(LENGTH_BYTES, "big") + text)
        heard = self._hear(order["seconds"] + self._patience)
        self._end_surely()
        report = Report.from_text(heard) if heard else None
        if report is not None and report.survivors:
            self._clean = end_orphans()
        return Ended(
            report=report,
            returncode=self._process.returncode,
            overdue=self._overdue,
            clean=self._clean,
            stdout=_content(self._stdout),
            stderr=_content(self._stderr),
            complaint=_last_line(_content(self._complaints)),
            seconds=time.monotonic() - self._started,
        )

    def stop(self) -> None:
        """Ask for the end at once, from any thread or signal handler; `carry_out` then returns in its own thread."""
        self._process.send_signal(signal.SIGTERM)

    def _send(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._control.fileno(), data) :]
        except BrokenPipeError:  # it is dead already, and has no report
            return

    def _hear(self, seconds: float) -> bytes:
        """Read until the supervisor closes its end; gives nothing when it is overdue."""
        deadline = time.monotonic() + seconds
        poller = select.poll()
        poller.register(self._report, select.POLLIN)
        heard = b""
        while poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            chunk = os.read(self._report.fileno(), _CHUNK)
            if not chunk:
                return heard
            heard += chunk
        self._overdue = True
        self._process.kill()
        return b""

    def _end_surely(self) -> None:
        """End everything, also when an interrupt arrives meanwhile."""
        try:
            self._end()
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        """Close the control pipe, which makes the supervisor end everything; kill it when it does not."""
        self._control.close()
        try:
            self._process.wait(self._patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._report.close()
        if self._process.returncode != 0:
            self._clean = end_orphans()


def _nameless(scratch: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=scratch)


def _readable(data: bytes, scratch: Path) -> IO[bytes]:
    """Make a file without a name that holds the data and that everyone can read, also by the name /dev/stdin."""
    with tempfile.NamedTemporaryFile(dir=scratch) as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), 0o444)
        return Path(file.name).open("rb")


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"
