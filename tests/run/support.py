"""A runner's job on this machine: forge, model, event file, and the variables that a runner sets."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import JsonValue, TypeAdapter

from coordinator.cli import main
from tests.small_project import FILES, FOREIGN
from tests.support import API_CANARY, FORGE_CANARY, GIT_ENVIRONMENT, commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from coordinator.demo.model_server import ModelServer
    from tests.standins.forge_http import Request
    from tests.standins.forge_server import ForgeServer
    from tests.standins.forge_state import IssueState, Json, User

Document: TypeAlias = "dict[str, JsonValue]"

PAYLOADS = Path(__file__).parents[1] / "payloads" / "gitea"
DOCUMENT = TypeAdapter(dict[str, JsonValue])
BRANCH = "coordinator/issue-1"
TITLE = "Add a second number"
BODY = "`tool.py` needs `TWO`.\n\n## Difficulty\n\neasy\n\n## Context Estimate\n\n1000 tokens\n"
OUTPUTS = {
    *("outcome", "issue", "agent", "branch", "pull-request", "verdict"),
    *("input-tokens", "output-tokens", "cost-usd", "report"),
}


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Document:
        """The one JSON document on standard output; anything else there fails."""
        return DOCUMENT.validate_json(self.out)

    @property
    def complaint(self) -> str:
        """The one line that says what is wrong and what to do about it; there is no traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("coordinator: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert "internal error" not in lines[0]
        assert re.search(r"\. [A-Z].*\.$", lines[0]), f"no mend: {lines[0]}"
        return lines[0]


@dataclass
class Job:
    """One job of a runner. `forge` has the people, `event` sets what happened, `run` does what the action does."""

    folder: Path
    forge: ForgeServer
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    maintainer: User
    said: list[str] = field(default_factory=list)
    """All that was printed so far."""

    def set(self, **variables: str | Path) -> None:
        """Set variables."""
        for name, value in variables.items():
            self.patch.setenv(name, str(value))

    def unset(self, *names: str) -> None:
        """Take variables away."""
        for name in names:
            self.patch.delenv(name, raising=False)

    def use(self, model: ModelServer) -> None:
        """Let the job's model be this one."""
        self.set(ANTHROPIC_BASE_URL=model.url)

    def run(self, *arguments: str) -> Ended:
        """Run the command that the action runs."""
        self.capture.readouterr()
        code = main(["run", *arguments])
        out, err = self.capture.readouterr()
        self.said += [out, err]
        return Ended(code, out, err)

    # What happens on the forge.

    @property
    def issue(self) -> IssueState:
        """The issue that the tests are about."""
        return self.forge.state.issues[1]

    def add_issue(self, title: str = TITLE, body: str = BODY, *, author: User | None = None) -> int:
        """Open an issue, by the maintainer if nobody else is named."""
        return self.forge.add_issue(title, body, author=author or self.maintainer)

    def assign(self, issue: int = 1, *, by: User | None = None) -> None:
        """Assign an issue to the coordinator, and write the event."""
        who = by or self.maintainer
        self.forge.state.set_assignees(self.forge.state.issues[issue], [self.forge.bot], who)
        self.issue_event("issues.assigned.json", sender=who, issue=issue)

    def label(self, *, by: User | None = None) -> None:
        """Put the label on the issue, and write the event."""
        who = by or self.maintainer
        self.forge.state.set_labels(self.issue, [1], who)
        self.issue_event("issues.label_updated.added.json", sender=who)

    def issue_event(self, file: str, *, sender: User, issue: int = 1, **more: object) -> None:
        """Write an event file of a real server, with the repository, issue and sender of the stand-in in it."""
        state = self.forge.state
        event = self.payload(file, sender)
        event["issue"] = {**_part(event, "issue"), **_plain(state.issue_json(state.issues[issue]))}
        self.event(file.partition(".")[0], {**event, **more})

    def comment(self, text: str, *, by: User) -> None:
        """Comment on the issue, and write the event."""
        entry = _plain(self.forge.state.add_entry(self.issue, by, "comment", body=text))
        self.issue_event("issue_comment.created.json", sender=by, comment=entry)

    def dispatch(self, *, by: User | None = None, **inputs: str) -> None:
        """Dispatch the workflow by hand."""
        event = self.payload("workflow_dispatch.json", by or self.maintainer)
        workflow = {"workflow": "coordinator.yml", "inputs": DOCUMENT.validate_python(inputs)}
        self.event("workflow_dispatch", {**event, **workflow})

    def payload(self, file: str, sender: User) -> Document:
        """Return an event file of a real server, with the repository and the sender of the stand-in in it."""
        state, event = self.forge.state, DOCUMENT.validate_json((PAYLOADS / file).read_text(encoding="utf-8"))
        return {
            **event,
            "repository": {**_part(event, "repository"), **_plain(state.repository_json())},
            "sender": {**_part(event, "sender"), **_plain(state.user_json(sender))},
        }

    def event(self, name: str, payload: object) -> None:
        """Write the event file as the runner does: a JSON document, or these bytes."""
        path = self.folder / "event.json"
        path.write_bytes(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
        self.set(GITHUB_EVENT_NAME=name, GITHUB_EVENT_PATH=path)

    def push(self, files: Mapping[str, str], branch: str = "main", message: str = "Change") -> str:
        """Commit to a branch of the repository on the forge, as a person; return the commit."""
        source = self.folder / "source"
        if not source.exists():
            make_repository(source, {})
        commit = commit_files(source, files, message)
        git(source, "push", "--quiet", "--force", str(self.forge.bare_repository), f"HEAD:refs/heads/{branch}")
        return commit

    # What is there afterwards.

    def outputs(self) -> dict[str, str]:
        """The step's outputs, read as a runner reads them: none but those of the contract, and all of them."""
        text = Path(os.environ["GITHUB_OUTPUT"]).read_text(encoding="utf-8")
        found = {name: value for name, _, value in re.findall(r"(?ms)^([\w-]+)<<(\w+)\n(.*?)\n\2$", text)}
        assert set(found) == OUTPUTS
        return found

    @property
    def summary(self) -> str:
        """The job summary."""
        return Path(os.environ["GITHUB_STEP_SUMMARY"]).read_text(encoding="utf-8")

    @property
    def comments(self) -> list[str]:
        """The texts of the coordinator's comments on the issue."""
        bot = self.forge.state.user_json(self.forge.bot)
        return [str(entry["body"]) for entry in self.issue.comments if entry["user"] == bot]

    @property
    def pulls(self) -> list[IssueState]:
        """All pull requests."""
        return [issue for issue in self.forge.state.issues.values() if issue.pull]

    def statuses(self, commit: str) -> dict[str, str]:
        """The commit statuses that count, by context."""
        found = [entry for entry in self.forge.state.statuses if entry["commit"] == commit]
        return {str(entry["context"]): str(entry["status"]) for entry in found}

    def branch(self, name: str = BRANCH) -> str:
        """The commit of a branch on the forge; empty when there is none."""
        return self.forge.state.repository.commit(f"refs/heads/{name}")

    def git(self, *arguments: str) -> str:
        """Ask the repository on the forge."""
        return git(self.forge.bare_repository, *arguments)

    @property
    def writes(self) -> list[str]:
        """What the job changed or tried to change on the forge, as ``METHOD path``."""
        return [
            f"{request.method} {request.path}"
            for request in self.forge.requests
            if "git-receive-pack" in request.path
            or (request.method != "GET" and not request.path.endswith("/git-upload-pack"))
        ]

    def headline(self) -> str:
        """How the run stands, by the one comment."""
        (comment,) = self.comments
        return next(line for line in comment.splitlines() if line.startswith("### ")).removeprefix("### ")


def make_job(
    folder: Path,
    forge: ForgeServer,
    tool_cache: Path,
    patch: pytest.MonkeyPatch,
    capture: pytest.CaptureFixture[str],
) -> Job:
    """Make a job on a host-mode runner of Gitea, for a repository with one open issue, whose only gate is lint."""
    for name in os.environ:
        if name.startswith(FOREIGN) or name in {"VIRTUAL_ENV", "LOG_LEVEL", "HOST", "PORT"}:
            patch.delenv(name)
    job = Job(folder, forge, patch, capture, forge.add_user("maintainer", "write"))
    job.push(FILES)
    job.add_issue()
    for name in ("home", "temp", "workspace"):
        (folder / name).mkdir()
    for name in ("output", "summary"):
        (folder / name).touch()
    job.set(
        HOME=folder / "home",
        RUNNER_TEMP=folder / "temp",
        RUNNER_TOOL_CACHE=tool_cache,
        CI="true",
        GITHUB_ACTIONS="true",
        GITEA_ACTIONS="true",
        GITHUB_SERVER_URL=forge.url,
        GITHUB_API_URL=forge.api_url,
        GITHUB_REPOSITORY=forge.repository,
        GITHUB_RUN_ID="41",
        GITHUB_RUN_NUMBER="7",
        GITHUB_RUN_ATTEMPT="1",
        GITHUB_WORKSPACE=folder / "workspace",
        GITHUB_OUTPUT=folder / "output",
        GITHUB_STEP_SUMMARY=folder / "summary",
        INPUT_TOKEN=FORGE_CANARY,
        INPUT_ANTHROPIC_API_KEY=API_CANARY,
        INPUT_ISSUE="",
        INPUT_AGENT="",
        INPUT_CONFIG=".coordinator.yml",
        INPUT_DRY_RUN="false",
    )
    return job


def _plain(value: Mapping[str, Json]) -> Document:
    return DOCUMENT.validate_json(json.dumps(value))


def _part(event: Document, key: str) -> Document:
    return DOCUMENT.validate_python(event[key])


def forms(secret: str) -> set[bytes]:
    """Return a secret as it is, and as somebody would write it who wants to get it past a search."""
    raw = secret.encode()
    shifted = {base64.b64encode(b" " * shift + raw)[4:-4] for shift in range(3)}
    return {raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(), *shifted}


CANARY_FORMS = forms(FORGE_CANARY) | forms(API_CANARY)


def found_in(data: bytes) -> set[bytes]:
    """Return the forms of the canaries that stand in some bytes."""
    return {form for form in CANARY_FORMS if form in data}


def objects_of(repository: Path) -> bytes:
    """Return the content of all objects of a repository."""
    command = ["git", "-c", "safe.directory=*", "cat-file", "--batch", "--batch-all-objects"]
    return subprocess.run(command, cwd=repository, env=GIT_ENVIRONMENT, check=True, capture_output=True).stdout


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder by their paths."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def bearer(request: Request) -> str:
    """Return the secret that a request to the forge carries; empty for none."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    return base64.b64decode(value).decode().partition(":")[2] if kind.lower() == "basic" else value
