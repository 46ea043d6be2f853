"""Runs of one job's command as processes of their own, each as on a runner of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.run.support import DOCUMENT, Ended

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from tests.run.support import Document, Job

ROOT = Path(__file__).parents[2]
SECONDS = 120.0
"""After which a run that has not ended fails its test."""


@dataclass
class RunProcess:
    """One run; a context manager that leaves nothing behind."""

    job: Job
    run_id: str
    variables: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        folder = self.job.folder / f"runner-{self.run_id}-{self.variables.get('GITHUB_RUN_ATTEMPT', '1')}"
        (folder / "temp").mkdir(parents=True)
        for name in ("output", "summary"):
            (folder / name).touch()
        own = {
            "GITHUB_RUN_ID": self.run_id,
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "RUNNER_TEMP": str(folder / "temp"),
        }
        self._out, self._err = (folder / "stdout").open("w+b"), (folder / "stderr").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "coordinator", "run", "--format", "json"],
            cwd=ROOT,
            env={**os.environ, **own, **self.variables},
            stdout=self._out,
            stderr=self._err,
            process_group=0,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._process.wait()
        self._out.close()
        self._err.close()

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it as a machine that loses its power does."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self) -> Ended:
        """Wait for the end; the exit code is negative when a signal did it."""
        code = self._process.wait(SECONDS)
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read().decode())
        self.job.said += texts
        return Ended(code, *texts)


def outcome(ended: Ended) -> tuple[int, str]:
    """Return the exit code and the outcome, and see that there is no traceback."""
    assert "Traceback" not in ended.err, ended.err
    document: Document = DOCUMENT.validate_json(ended.out)
    return ended.code, str(document["outcome"])


def descendants(pid: int) -> dict[int, str]:
    """Return the command lines of all processes that a process has started, and those, by id."""
    parents: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (process / "stat").read_text(errors="replace")
            parents[int(process.name)] = int(stat.rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    wanted = {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted} - found.keys()
        for child in wanted:
            with suppress(OSError):
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def wait_until(what: str, is_so: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Wait for something; fail with its name when it does not come."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.01)
