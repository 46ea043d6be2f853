"""What the local forge reads from a git repository. Nothing here writes, runs a hook or opens a connection."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured, Unreachable
from coordinator.forge.protocol import Missing

if TYPE_CHECKING:
    from pathlib import Path

GIT_SECONDS = 60.0

_ENVIRONMENT = {
    "PATH": os.defpath,
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # A missing object of a partial clone would be fetched, by a command from the repository's own configuration.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_REPLACE_OBJECTS": "1",
}

_OBJECT = re.compile(rb"[0-9a-f]{40,64} (?P<kind>\w+) (?P<size>\d+)\n")


class LocalGit:
    """A git repository on this machine: a checkout, a linked worktree, a submodule or a bare repository."""

    def __init__(self, folder: Path, *, seconds: float = GIT_SECONDS) -> None:
        """Find the repository around a folder; raise `Misconfigured` when there is none."""
        program = shutil.which("git")
        if program is None:
            raise Misconfigured("there is no git on the PATH", mend="Install git")
        self._git = (program, "-c", "safe.directory=*")
        self._folder = folder
        self._seconds = seconds
        self.common_dir = self._resolve("--git-common-dir")
        bare = self._ask("rev-parse", "--is-inside-work-tree") != "true"
        self.path = self.common_dir if bare else self._resolve("--show-toplevel")
        """What git clones from and pushes to."""

    def default_branch(self) -> str:
        """Return the branch that ``origin`` has as its default, if there is one like it here, else the current one."""
        origin = self._ask("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
        if origin and self._commit(f"refs/heads/{origin}"):
            return origin
        current = self._ask("symbolic-ref", "--quiet", "--short", "HEAD")
        if current:
            return current
        what = f"no branch is checked out in {self.path}"
        raise Misconfigured(what, mend="Check one out, or set `base_branch` in .coordinator.yml")

    def branch_commit(self, name: str) -> str:
        """Return the commit of a branch, empty when there is none."""
        return self._ask("show-ref", "--verify", "--hash", f"refs/heads/{name}")

    def commit(self, ref: str) -> str:
        """Return the commit of a branch or commit id; raise `Missing` for any other."""
        found = self.branch_commit(ref) or self._commit(ref)
        if not found:
            what = f"{self.path} has no branch or commit {ref!r}"
            raise Missing(what, mend="Name one that exists; an empty repository needs a first commit")
        return found

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return a file at a commit; None for no such file. Git would take ``.`` and ``..`` as below its own folder."""
        if not {"", ".", ".."}.isdisjoint(path.split("/")):
            return None
        name = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{path}")
        if not name:
            return None
        answer = self._run("cat-file", "--batch", stdin=f"{name}\n".encode()).stdout
        head = _OBJECT.match(answer)
        if head is None:
            what = f"{self.path} lacks the content of {path!r}"
            raise Misconfigured(what, mend="Complete the clone with git fetch --refetch, or check it with git fsck")
        return answer[head.end() : head.end() + int(head["size"])] if head["kind"] == b"blob" else None

    def _commit(self, ref: str) -> str:
        return self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")

    def _resolve(self, option: str) -> Path:
        found = self._ask("rev-parse", option)
        if not found:
            what = f"{self._folder} is not in a git repository"
            raise Misconfigured(what, mend="Name a checkout with --repo, or make one with git init")
        return (self._folder / found).resolve()

    def _ask(self, *arguments: str) -> str:
        """Return what git prints, empty when it fails."""
        done = self._run(*arguments)
        return "" if done.returncode else os.fsdecode(done.stdout).removesuffix("\n")

    def _run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                [*self._git, *arguments],
                cwd=self._folder,
                env=_ENVIRONMENT,
                input=stdin,
                capture_output=True,
                timeout=self._seconds,
                check=False,
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise Misconfigured(f"there is no folder {self._folder}", mend="Name a checkout with --repo") from None
        except subprocess.TimeoutExpired:
            what = f"git {arguments[0]} in {self._folder} took longer than {self._seconds:g} s"
            raise Unreachable(what, mend="Check the disk, then run again") from None
