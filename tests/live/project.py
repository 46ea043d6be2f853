"""A repository on the real server in which the coordinator works, and what became of it."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.live.server import PATIENCE, csrf, wait_for
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.live.server import Document, Gitea, Person

ROOT = Path(__file__).parents[2]
LINT_ONLY = "gates:\n  build: {enabled: false}\n  test: {enabled: false}\n  coverage: {enabled: false}\n"
FILES = {".coordinator.yml": LINT_ONLY, "tool.py": "ONE = 1\n", "README.md": "# Tool\n"}
TITLE = "Add a second number"
BODY = "`tool.py` needs `TWO`.\n\n## Difficulty\n\neasy\n\n## Context Estimate\n\n1000 tokens\n"
FINISHED = {"success", "failure", "cancelled", "skipped"}


def snapshot(folder: Path) -> None:
    """Make a repository with one commit of this checkout as it is now, uncommitted changes included."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    make_repository(folder, {})
    for name in listed:
        source, target = ROOT / name, folder / name
        if name and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "The action as it is now")


def workflow(*, action: str, label: str, bot: str, model_url: str, token: bool = True) -> str:
    """Return the workflow that users copy, with what they fill in."""
    text = (ROOT / ".gitea" / "workflows" / "coordinator.yml").read_text(encoding="utf-8")
    changes = {
        'ACTION_REPOSITORY: ""': f"ACTION_REPOSITORY: {action}",
        "runs-on: ubuntu-latest": f"runs-on: {label}",
        "\njobs:": f"\nenv:\n  ANTHROPIC_BASE_URL: {model_url}\n\njobs:",
        "          anthropic-api-key:": f"          trigger-assignee: {bot}\n          anthropic-api-key:",
    }
    if not token:
        changes["secrets.COORDINATOR_TOKEN || github.token"] = "github.token"
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


class Project:
    """One repository of `owner`, in which `bot` works."""

    def __init__(self, gitea: Gitea, folder: Path, name: str, *, owner: Person, bot: Person) -> None:
        self.gitea = gitea
        self.owner = owner
        self.bot = bot
        self.full_name = f"{owner.login}/{name}"
        self.api = f"/repos/{self.full_name}"
        self._folder = folder
        self.name = name
        gitea.send("POST", "/user/repos", token=owner.token, json={"name": name, "default_branch": "main"})
        gitea.send("PUT", f"{self.api}/collaborators/{bot.login}", json={"permission": "write"})

    # What people do.

    def push(self, files: Mapping[str, str], branch: str = "main", *, by: Person | None = None, to: str = "") -> str:
        """Commit files on top of what was pushed last, push them to a branch, and return the commit."""
        if not self._folder.exists():
            make_repository(self._folder, {})
        commit = commit_files(self._folder, files, "Change")
        who = by or self.owner
        address = self.gitea.url.replace("://", f"://{who.login}:{who.token}@")
        where = f"{address}/{to or self.full_name}.git"
        git(self._folder, "push", "--quiet", "--force", where, f"HEAD:refs/heads/{branch}")
        wait_for("repository that is not empty", lambda: not self.gitea.get(self.api)["empty"], 20)
        return commit

    def secret(self, name: str, value: str) -> None:
        self.gitea.send("PUT", f"{self.api}/actions/secrets/{name}", json={"data": value})

    def add_issue(self, title: str = TITLE, body: str = BODY, *, assign: bool = False, **more: object) -> int:
        fields = {"title": title, "body": body, **({"assignees": [self.bot.login]} if assign else {}), **more}
        reply = self.gitea.send("POST", f"{self.api}/issues", token=self.owner.token, json=fields)
        return int(str(reply.json()["number"]))

    def change_issue(self, number: int, *, by: Person | None = None, **fields: object) -> None:
        self.gitea.send("PATCH", f"{self.api}/issues/{number}", token=(by or self.owner).token, json=fields)

    def assign(self, number: int, *logins: str) -> None:
        self.change_issue(number, assignees=list(logins or (self.bot.login,)))

    def close(self, number: int) -> None:
        self.change_issue(number, state="closed")

    def comment(self, number: int, body: str, *, by: Person | None = None) -> None:
        who = by or self.owner
        self.gitea.send("POST", f"{self.api}/issues/{number}/comments", token=who.token, json={"body": body})

    def add_label(self, name: str) -> int:
        reply = self.gitea.send("POST", f"{self.api}/labels", json={"name": name, "color": "ededed"})
        return int(str(reply.json()["id"]))

    def block(self, number: int, *, by: int) -> None:
        """Make a native dependency."""
        owner, name = self.full_name.split("/")
        fields = {"owner": owner, "repo": name, "index": by}
        self.gitea.send("POST", f"{self.api}/issues/{number}/dependencies", json=fields)

    def dispatch(self, **inputs: str) -> None:
        path = f"{self.api}/actions/workflows/coordinator.yml/dispatches"
        self.gitea.send("POST", path, token=self.owner.token, json={"ref": "main", "inputs": inputs})

    def stop_actions(self) -> None:
        """Let what happens from here on start no run."""
        self.gitea.send("PATCH", self.api, json={"has_actions": False})

    def start_actions(self) -> None:
        self.gitea.send("PATCH", self.api, json={"has_actions": True})

    def approve_runs(self) -> None:
        """Let the waiting runs of somebody's first pull request start, as a maintainer does in the browser."""
        wait_for("run that waits", self.runs)
        with self.gitea.browser(self.owner) as browser:
            for run in self.runs():
                page = f"/{self.full_name}/actions/runs/{run['run_number']}"
                assert browser.post(f"{page}/approve", data={"_csrf": csrf(browser.get(page).text)}).is_success

    # What they see.

    def comments(self, number: int, *, by: str = "") -> list[str]:
        """The texts of an account's comments, of the coordinator's if nobody else is named."""
        who = by or self.bot.login
        found = self.gitea.list(f"{self.api}/issues/{number}/comments")
        return [str(one["body"]) for one in found if _login(one["user"]) == who]

    def headline(self, number: int, *, by: str = "") -> str:
        """How the run stands, by the one comment; empty where there is none."""
        comments = self.comments(number, by=by)
        assert len(comments) <= 1, comments
        lines = [line for comment in comments for line in comment.splitlines() if line.startswith("### ")]
        return lines[0].removeprefix("### ") if lines else ""

    def pulls(self) -> list[Document]:
        return self.gitea.list(f"{self.api}/pulls?state=all&limit=50")

    def labels(self, number: int) -> list[str]:
        return [str(label["name"]) for label in self.gitea.list(f"{self.api}/issues/{number}/labels")]

    def statuses(self, commit: str) -> dict[str, str]:
        """The newest status of each context of the coordinator's own."""
        found = self.gitea.list(f"{self.api}/commits/{commit}/statuses?limit=50&sort=oldest")
        own = [one for one in found if re.fullmatch(r"coordinator(/\w+)?", str(one["context"]))]
        return {str(one["context"]): str(one["status"]) for one in sorted(own, key=lambda one: int(str(one["id"])))}

    def commit(self, branch: str) -> str:
        commit = self.gitea.get(f"{self.api}/branches/{branch}")["commit"]
        return str(commit["id"]) if isinstance(commit, dict) else ""

    def history(self, branch: str) -> list[str]:
        return [str(one["sha"]) for one in self.gitea.list(f"{self.api}/commits?sha={branch}&limit=50")]

    def branches(self) -> list[str]:
        return sorted(str(one["name"]) for one in self.gitea.list(f"{self.api}/branches?limit=50"))

    def tasks(self) -> list[Document]:
        """All jobs so far, newest first."""
        found = self.gitea.get(f"{self.api}/actions/tasks?limit=50")["workflow_runs"]
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def runs(self) -> list[Document]:
        """All runs so far, those that wait for a runner included."""
        found = self.gitea.get(f"{self.api}/actions/runs?limit=50")["workflow_runs"]
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def log(self, task: Document) -> str:
        jobs = self.gitea.get(f"{self.api}/actions/runs/{task['id']}/jobs")["jobs"]
        texts = []
        for job in jobs if isinstance(jobs, list) else []:
            if isinstance(job, dict):
                reply = self.gitea.send("GET", f"{self.api}/actions/jobs/{job['id']}/logs", ok=False)
                texts.append(reply.text if reply.is_success else "")
        return "\n".join(texts)

    def logs(self) -> str:
        return "\n".join(self.log(run) for run in self.runs())

    def wait_for_headline(self, number: int, word: str, *, by: str = "") -> None:
        """Wait until the comment says a word in its first line; fail with what the runner logged."""
        try:
            wait_for(f"{word!r} in the comment", lambda: word in self.headline(number, by=by))
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.headline(number, by=by)!r}\n{self.logs()[-6000:]}") from None

    def settle(self, at_least: int = 1, seconds: float = PATIENCE) -> list[Document]:
        """Wait until so many runs have come and none is under way for two looks; return them, newest first."""
        calm = 0

        def look() -> list[Document] | None:
            nonlocal calm
            runs = self.runs()
            done = len(runs) >= at_least and all(run["status"] == "completed" for run in runs)
            calm = calm + 1 if done else 0
            return runs if calm > 3 else None

        try:
            return wait_for(f"end of {at_least} runs", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{[run['status'] for run in self.runs()]}\n{self.logs()[-6000:]}") from None


def _login(user: object) -> str:
    return str(user["login"]) if isinstance(user, dict) else ""


def pause(seconds: float) -> None:
    """Give the server time for something that must not happen."""
    time.sleep(seconds)
