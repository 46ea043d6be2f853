"""Working on an issue here, for a server without Actions: `coordinator run` in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coordinator.errors import ExitCode, Misconfigured, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coordinator.webhook.delivery import Delivery

STOP_SECONDS: Final = 60.0
"""For a run to save and push its work when the relay ends."""

_STDERR: Final = 2
_ENDINGS: Final = {
    ExitCode.DONE: "done here",
    ExitCode.NOT_ACCEPTED: "worked on here, and not accepted",
    ExitCode.REFUSED: "refused by the run here",
}
"""What another try would not change. After any other end the event may be delivered again."""


class Working:
    """Runs a command for each delivery, with the raw body as its event file.

    `command` gets `environment`, which must be complete, and the variables that name the event. What it leaves behind
    goes below `folder`, by repository. Its output goes to our standard error.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._command = tuple(command)
        self._environment = environment
        self._folder = folder
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._ending = False

    def handle(self, delivery: Delivery) -> str:
        """Run the command to its end.

        Raises `Misconfigured` where it ended in another way than `_ENDINGS`, `Unreachable` where the relay is ending.
        """
        kept = self._folder / delivery.repository.lower()
        kept.mkdir(mode=0o711, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="coordinator-event-") as folder:
            event = Path(folder, "event.json")
            event.write_bytes(delivery.body)
            code = self._run(
                {
                    "GITHUB_EVENT_NAME": delivery.event.kind.value,
                    "GITHUB_EVENT_PATH": str(event),
                    "GITHUB_REPOSITORY": delivery.repository,
                    "RUNNER_TEMP": str(kept),
                }
            )
        if code in _ENDINGS:
            return f"{_ENDINGS[ExitCode(code)]}, exit code {code}"
        how = f"with exit code {code}" if code > 0 else f"by signal {-code}"
        raise Misconfigured(f"the run ended {how}", mend="Its own lines above say why")

    def end(self) -> None:
        """Tell every run to save its work and end."""
        with self._lock:
            self._ending = True
            for child in self._children:
                child.terminate()

    def abandon(self) -> None:
        """Kill what has not ended by itself, with all that it has started in its session."""
        with self._lock:
            for child in self._children:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)

    def _run(self, event: Mapping[str, str]) -> int:
        child = self._start({**self._environment, **event})
        try:
            return child.wait()
        finally:
            with self._lock:
                self._children.discard(child)

    def _start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a child in a session of its own: Ctrl-C in a terminal reaches it through us, and once."""
        with self._lock:
            if self._ending:
                raise Unreachable("the relay is ending", mend="Start it again")
            child = subprocess.Popen(
                self._command, env=environment, stdin=subprocess.DEVNULL, stdout=_STDERR, start_new_session=True
            )
            self._children.add(child)
            return child
