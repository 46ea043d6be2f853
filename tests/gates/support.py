"""What the tests of the gates share: a sandbox without confinement, exports, and a suite on a small repository."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.configuration import GatesSection
from coordinator.gates.suite import build_suite
from coordinator.gates.target.environment import TargetEnvironment, describe_environment
from coordinator.sandbox.environment import SYSTEM_PATH
from coordinator.sandbox.protocol import Command, CommandResult
from coordinator.workspace.export import export
from coordinator.workspace.objects import TrustedRepository
from tests.support import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coordinator.gates.protocol import GateResult, Verdict
    from coordinator.sandbox.protocol import Sandbox


@dataclass
class PlainSandbox:
    """Runs commands in a clean environment with a time limit, and without any confinement."""

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    description: str = "no confinement"
    commands: list[Command] = field(default_factory=list)

    def run(self, command: Command) -> CommandResult:
        started = time.monotonic()
        self.commands.append(command)
        env = {"PATH": os.pathsep.join(map(str, SYSTEM_PATH)), "HOME": str(self.home), "LANG": "C.UTF-8"}
        env |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "UV_"))}
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=env | dict(self.variables) | dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if command.merge_stderr else subprocess.PIPE,
            start_new_session=True,
        )
        timed_out = False
        try:
            out, err = process.communicate(timeout=command.limits.seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        code = process.returncode
        return CommandResult(
            exit_code=None if timed_out or code < 0 else code,
            signal=-code if code < 0 else None,
            timed_out=timed_out,
            stdout=out,
            stderr=err or b"",
            truncated=False,
            seconds=time.monotonic() - started,
        )

    def give(self, folder: Path) -> None:
        assert folder.is_dir()

    def make_folder(self, prefix: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.home))

    def aside(self) -> PlainSandbox:
        return self


def exporter(repository: Path) -> Callable[[str, Path], None]:
    """Return a function that writes a commit or tree of a repository into a folder."""
    trusted = TrustedRepository.discover(repository)

    def write(tree: str, folder: Path) -> None:
        export(trusted, tree, folder)

    return write


def own_environment(sandbox: Sandbox, cache: Path) -> TargetEnvironment:
    """Return the environment that these tests run in, as a project's environment."""
    return describe_environment(Path(sys.prefix), "VIRTUAL_ENV", sandbox, cache, SYSTEM_PATH)


def judge(
    repository: Path,
    home: Path,
    section: GatesSection | None = None,
    *,
    base: str | None = None,
    environment: Callable[[Path], TargetEnvironment] | None = None,
    setup: tuple[str, ...] | None = None,
) -> Verdict:
    """Judge the head of a repository with the real tools; nothing may be left of it in `home`."""
    home.mkdir(exist_ok=True)
    sandbox = PlainSandbox(home)
    suite = build_suite(
        export=exporter(repository),
        tree=git(repository, "rev-parse", "HEAD^{tree}"),
        base=base,
        section=section or GatesSection(),
        sandbox=sandbox,
        environment=environment or (lambda _source: own_environment(sandbox, home / "cache")),
        setup=setup,
    )
    verdict = suite.judge()
    assert {path.name for path in home.iterdir()} <= {"cache", ".cache"}
    return verdict


def judge_files(folder: Path, files: Mapping[str, str], section: GatesSection | None = None) -> Verdict:
    """Judge a new repository with these files."""
    return judge(make_repository(folder / "repository", files), folder / "home", section)


def result_of(verdict: Verdict, gate: str) -> GateResult:
    """Return the result of one gate."""
    return next(result for result in verdict.gates if result.gate == gate)
