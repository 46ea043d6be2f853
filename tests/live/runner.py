"""A real runner in host mode, registered for one label, and gone at the end."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Self

from tests.live.server import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.server import Gitea

CONFIGURATION = """\
log: {{level: info}}
runner: {{file: {folder}/.runner, capacity: 1, fetch_interval: 1s, timeout: 10m}}
cache: {{enabled: false}}
host: {{workdir_parent: {jobs}}}
"""
FOREIGN = ("GITHUB_", "GITEA_", "FORGEJO_", "INPUT_", "RUNNER_", "ANTHROPIC_", "COORDINATOR_", "GIT_", "VIRTUAL_ENV")
"""In host mode a job gets the runner's environment: nothing of the tests may be in there."""


class Runner:
    """One runner process. A context manager; it takes one job at a time."""

    def __init__(self, program: Path, gitea: Gitea, folder: Path, *, name: str, label: str) -> None:
        self._program = str(program)
        self._folder = folder
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        self._environment["HOME"] = str(folder)
        folder.mkdir()
        self._configuration = folder / "config.yaml"
        self._configuration.write_text(CONFIGURATION.format(folder=folder, jobs=folder / "jobs"), encoding="utf-8")
        self._run(
            *("register", "--no-interactive", "--instance", gitea.url, "--token", gitea.registration_token()),
            *("--name", name, "--labels", f"{label}:host"),
        )
        self._log = folder / "runner.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self._configuration), "daemon"],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for("runner", lambda: "declare successfully" in self._log.read_text(errors="replace"), 30)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _run(self, *arguments: str) -> None:
        command = [self._program, "-c", str(self._configuration), *arguments]
        subprocess.run(command, cwd=self._folder, env=self._environment, check=True, capture_output=True, timeout=60)
