"""A person at a shell: a small project, an issue, a scripted model, and the commands of the coordinator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.cli import main
from coordinator.demo.model_server import ModelServer
from tests.small_project import FILES
from tests.support import API_CANARY, GIT_ENVIRONMENT, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pytest

    from coordinator.demo.model_script import Reply, Step

PROJECT = Path(__file__).parents[2]
BRANCH = "coordinator/issue-7"
NAP = "sleep 4321.5"
"""What runs when a run is interrupted; nothing else on the machine sleeps that long."""
ISSUE = (
    "---\nnumber: 7\ntitle: Add a second number\ndifficulty: easy\nestimated_context: 1000\n---\n\n"
    "`tool.py` needs `TWO`.\n"
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output; anything else there fails."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    def complaint(self) -> str:
        """The line that says what is wrong and what to do: one line, no traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("coordinator: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert ". " in lines[0]
        return lines[0]


@dataclass(frozen=True)
class Shell:
    """Runs commands in this process, under an environment of its own."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    variables: dict[str, str]

    def set(self, **variables: str) -> None:
        """Export variables."""
        self.variables.update(variables)
        for name, value in variables.items():
            self.patch.setenv(name, value)

    def unset(self, name: str) -> None:
        """Take a variable away."""
        self.variables.pop(name, None)
        self.patch.delenv(name, raising=False)

    def run(self, *arguments: str | Path) -> Ended:
        """Run one command in this process."""
        self.capture.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *self.capture.readouterr())

    def start(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start one command as a process of its own, with the same environment."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        keep |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "UV_"))}
        return subprocess.Popen(
            [sys.executable, "-m", "coordinator", *map(str, arguments)],
            cwd=cwd or PROJECT,
            env={**keep, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], *, seconds: float = 60) -> Ended:
        """Wait for a process of `start`."""
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Ended(process.returncode, out, err)


@contextmanager
def the_model(
    shell: Shell, *script: Step | Callable[[Any], Reply], key: str = API_CANARY, clean: bool = True, pace: float = 0.0
) -> Iterator[ModelServer]:
    """Serve a script as the model of a shell. With `clean` the strict server may have refused nothing."""
    with ModelServer(script, key=key, pace=pace) as server:
        shell.set(ANTHROPIC_BASE_URL=server.url)
        yield server
    assert server.refused == [] or not clean


@dataclass(frozen=True)
class Project:
    """A person's repository with an issue beside it."""

    folder: Path
    issue: Path

    @property
    def kept(self) -> Path:
        """Where the record of the runs on the issue is."""
        return self.folder / ".git" / "coordinator" / "runs" / "issue-7"

    def branch(self) -> str:
        """The commit of the work branch; empty when there is none."""
        return git(self.folder, "for-each-ref", "--format=%(objectname)", f"refs/heads/{BRANCH}")

    def show(self, path: str) -> str:
        """A file of the work branch."""
        return git(self.folder, "show", f"{BRANCH}:{path}")

    def pulls(self) -> list[str]:
        """All pull requests, whole."""
        return _texts(self.folder / ".git" / "coordinator" / "forge" / "pulls")

    def comments(self) -> list[str]:
        """All comments on the issue, whole."""
        return _texts(self.folder / ".git" / "coordinator" / "forge" / "comments" / "7")

    def headline(self) -> str:
        """How the run stands, by the one comment."""
        (comment,) = self.comments()
        return next(line for line in comment.splitlines() if line.startswith("### ")).removeprefix("### ")


def make_project(folder: Path, files: Mapping[str, str] = FILES, issue: str = ISSUE) -> Project:
    """Make a repository, and an issue file outside of it."""
    repository = make_repository(folder / "project", files)
    issue_file = folder / "7-second-number.md"
    issue_file.write_text(issue, encoding="utf-8")
    return Project(repository, issue_file)


def _texts(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*"))]


def snapshot(folder: Path, *, without: Sequence[str] = ()) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder: mode and content of files, targets of links. Paths that start so are left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.startswith(tuple(without)):
            continue
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[name] = (path.lstat().st_mode, content)
    return found


OURS = (".git/objects", ".git/coordinator", ".git/refs/heads/coordinator", ".git/logs/refs/heads/coordinator")
"""Where a run writes in a person's repository: objects, its own folder, its own branches."""


def persons_own(project: Project) -> tuple[object, ...]:
    """All that is the person's in a repository: work tree, index, HEAD, stash, configuration, reflogs, status."""
    told = [git(project.folder, *words) for words in (("status", "--porcelain=v2", "--branch"), ("stash", "list"))]
    return snapshot(project.folder, without=OURS), told


def everything_in(folder: Path) -> bytes:
    """The bytes of all files below a folder, and of all objects of the repositories among them."""
    parts = [path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    for git_dir in folder.rglob(".git"):
        command = ["git", "-c", "safe.directory=*", "cat-file", "--batch", "--batch-all-objects"]
        listing = subprocess.run(command, cwd=git_dir.parent, env=GIT_ENVIRONMENT, check=True, capture_output=True)
        parts.append(listing.stdout)
    return b"\n".join(parts)


def command_lines() -> set[str]:
    """The command lines of all processes that can be looked at; to see which ones are left."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.add((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something to become true; fail when it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def napping() -> bool:
    """Whether the agent's long command runs."""
    return any(line.startswith(NAP) for line in command_lines())


def _pull_request(value: object) -> bool:
    return value is None or (isinstance(value, dict) and set(value) == {"number", "url", "draft"})


def _either(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


NOTHING = type(None)
VERDICT_KEYS = {"passed", "tree", "gates"}
GATE_KEYS = {"gate", "passed", "message", "details", "seconds"}
PLAN_KEYS = {"issue", "metadata", "estimate", "blocked_by", "blocks", "agent", "reason", "ready"}
USAGE_KEYS = {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"}
SHAPE: dict[str, Callable[[object], bool]] = {
    "outcome": _either(str),
    "reason": _either(str),
    "exit_code": _either(int),
    "issue": lambda value: isinstance(value, dict) and set(value) == {"number", "title"},
    "agent": _either(str, NOTHING),
    "plan": lambda value: value is None or (isinstance(value, dict) and set(value) >= PLAN_KEYS),
    "branch": _either(str, NOTHING),
    "commit": _either(str, NOTHING),
    "pull_request": _pull_request,
    "attempts": _either(list),
    "usage": lambda value: isinstance(value, dict) and set(value) == USAGE_KEYS,
    "cost_usd": _either(float),
    "report": _either(str, NOTHING),
}
OUTCOMES = {"completed", "rejected", "blocked", "waiting", "released", "skipped", "refused", "failed"}


def check_verdict(verdict: dict[str, Any]) -> None:
    """See that a verdict has the shape that `gate --format json` promises."""
    assert set(verdict) == VERDICT_KEYS
    for gate in verdict["gates"]:
        assert set(gate) == GATE_KEYS
        assert [type(gate[key]) for key in ("gate", "passed", "message", "details", "seconds")] == [
            str,
            bool,
            str,
            dict,
            float,
        ]


def check_report(ended: Ended) -> None:
    """See that a document has the shape that `work --format json` promises, with the code of the process."""
    document = ended.document
    assert document["exit_code"] == ended.code
    assert document["outcome"] in OUTCOMES
    assert document["reason"]
    assert set(document) == set(SHAPE)
    assert [key for key, fits in SHAPE.items() if not fits(document[key])] == []
    for number, attempt in enumerate(document["attempts"], start=1):
        assert set(attempt) == {"number", "agent", "turns", "seconds", "verdict"}
        assert (attempt["number"], type(attempt["seconds"])) == (number, float)
        check_verdict(attempt["verdict"])
