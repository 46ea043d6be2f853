"""One judgement of `benchmarks.gates`, in a process of its own: ``python -m benchmarks.gates_job REPOSITORY OPTIONS``.

OPTIONS is a JSON object with ``environment`` (folder of the tests' environment), ``kept`` (folder of what outlives a
judgement), ``base`` (commit to compare with, or null), ``build_args`` (what the build gate's tool is given) and
``alone`` (whether one processor is all that there is). The last line of the output is an object with ``gates`` (the
state of each by name), ``busy`` (seconds in which at least one tool ran), ``launch`` (seconds that starting a confined
command takes) and ``tests_after`` (seconds from the start of this process to that of the tests).
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from coordinator.configuration import GatesSection
from coordinator.gates.cache.kept_files import KeptFiles
from coordinator.gates.integrity.base_records import BaseRecords
from coordinator.gates.python.pytest_run import RUNNER
from coordinator.gates.suite import build_suite
from coordinator.gates.target.environment import describe_environment, paths_to_show
from coordinator.sandbox.environment import SYSTEM_PATH, interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Command, Limits
from coordinator.workspace.export import export
from coordinator.workspace.objects import TrustedRepository

if TYPE_CHECKING:
    from coordinator.sandbox.protocol import CommandResult, Sandbox


THRESHOLD = 50.0
"""Per cent: click has 84.8 on Linux, and of a tree that is rejected no cache is kept."""
STARTED = time.perf_counter() - time.process_time()
"""About when this process began: until here it has done nothing but import."""


class Options(TypedDict):
    """What is asked of one judgement."""

    environment: str
    kept: str
    base: str | None
    build_args: list[str]
    alone: bool


@dataclass(frozen=True)
class Recording:
    """A sandbox that notes when its commands ran. Satisfies `coordinator.sandbox.protocol.Sandbox`."""

    inner: Sandbox
    spans: list[tuple[float, float]] = field(default_factory=list)
    tests: list[float] = field(default_factory=list)
    """When each run of the tests began."""

    @property
    def description(self) -> str:
        """How commands are confined."""
        return self.inner.description

    def run(self, command: Command) -> CommandResult:
        """Run one command, and note it."""
        started = time.perf_counter()
        if RUNNER in command.argv:
            self.tests.append(started)
        result = self.inner.run(command)
        self.spans.append((started, time.perf_counter()))
        return result

    def give(self, folder: Path) -> None:
        """Hand a folder over."""
        self.inner.give(folder)

    def make_folder(self, prefix: str) -> Path:
        """Make a folder."""
        return self.inner.make_folder(prefix)

    def aside(self) -> Recording:
        """Note those of the sandbox beside it in the same lists."""
        return replace(self, inner=self.inner.aside())

    def busy(self) -> float:
        """Return the seconds in which at least one command ran."""
        total, end = 0.0, 0.0
        for first, last in sorted(self.spans):
            total += max(0.0, last - max(first, end))
            end = max(end, last)
        return total


def judged(repository: Path, options: Options) -> dict[str, object]:
    """Judge the head of a repository, as the module says."""
    if options["alone"]:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    trusted = TrustedRepository.discover(repository)
    environment, kept = Path(options["environment"]), Path(options["kept"])
    kept.mkdir(mode=0o755, exist_ok=True)
    with open_sandbox(visible=(*interpreter_paths(), *paths_to_show(environment), kept)) as sandbox:
        recording = Recording(sandbox)
        verdict = build_suite(
            export=lambda tree, folder: export(trusted, tree, folder),
            tree=trusted.tree_of(trusted.resolve("HEAD")),
            base=options["base"],
            section=GatesSection.model_validate(
                {"build": {"args": options["build_args"]}, "coverage": {"threshold": THRESHOLD}}
            ),
            sandbox=recording,
            environment=lambda _source: describe_environment(environment, "venv", sandbox, kept, SYSTEM_PATH),
            mypy_cache=kept / "mypy",
            base_records=BaseRecords(KeptFiles(kept / "base-tests")),
        ).judge()
        launch = sandbox.run(Command(("/bin/true",), Path("/"), Limits(10))).seconds
    gates = {result.gate: result.details["state"] for result in verdict.gates}
    return {"gates": gates, "busy": recording.busy(), "launch": launch, "tests_after": recording.tests[0] - STARTED}


if __name__ == "__main__":
    atexit.register(gc.freeze)  # as `coordinator.cli` does
    print(json.dumps(judged(Path(sys.argv[1]), json.loads(sys.argv[2]))))
