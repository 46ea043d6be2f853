"""The repository that a run reads from and gives its branch back to: over HTTP, or a folder of this machine.

A folder is reached by ``file://``, so that every object is copied and checked like one from the network. The program
at its other end runs with the same overrides as ours, so that no hook of the folder runs and none of its settings has a
say.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coordinator.errors import Misconfigured, Unreachable
from coordinator.workspace.failures import BranchMoved, explained
from coordinator.workspace.git import FIXED_CONFIG, NO_REPOSITORY, Git, GitCall, GitFailed
from coordinator.workspace.objects import find_git_dir

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coordinator.forge.models import GitRemote

PUSHED_BRANCHES = "refs/heads/coordinator/"
"""All branches that are ever pushed lie below here."""

STATE_REF = "refs/coordinator/state"
RUN_REFS = "refs/coordinator/runs/"
"""The only other refs that are pushed. They are no branches: no clone fetches them, no workflow is started by them."""

_HARMLESS_FLAWS = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "multipleAuthors",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)
"""Flaws of who and when that old tools left in many published histories (git-fsck(1), "FSCK MESSAGES"). All others, the
hostile names above all, end the fetch."""

_CONFIG = (
    *(f"fetch.fsck.{flaw}=ignore" for flaw in _HARMLESS_FLAWS),
    "pack.useSparse=false",  # so that a tree that is known under another path is not sent again (git-pack-objects(1))
)


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """What a remote repository has, as far as it was asked."""

    commits: Mapping[str, str]
    """Commit by full name, e.g. ``refs/heads/main``; ``HEAD`` too, if there is one."""
    head_branch: str | None
    """The branch that HEAD stands for, without ``refs/heads/``; None where that is no branch with commits."""


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """Bounds of one exchange with a remote repository."""

    seconds: float = 600.0
    bytes: int = 8 * 1024 * 1024 * 1024
    """Largest file that a fetch may write, which is the size of the pack."""
    pauses: tuple[float, ...] = (1.0, 4.0)
    """Seconds to wait before each further try, when the server cannot be reached."""


DEFAULT_LIMITS = RemoteLimits()


class Remote:
    """One remote repository. Methods raise `Misconfigured` or, after all tries, `Unreachable`."""

    def __init__(self, where: GitRemote, git: Git, limits: RemoteLimits = DEFAULT_LIMITS) -> None:
        self._git = git
        self._limits = limits
        self._header = where.authorization
        self.name = where.url
        """How it is called in messages."""
        self.protocol = urlsplit(where.url).scheme
        self.git_dir: Path | None = None
        """Of a folder of this machine: its git directory."""
        self._url = where.url
        self._programs: tuple[str, str] | None = None
        if self.protocol not in {"http", "https"}:
            self._become_local(where.url)

    def _become_local(self, url: str) -> None:
        folder = Path(url)
        if not folder.is_absolute():
            raise Misconfigured(
                f"{url!r} is neither an http(s) address nor an absolute path", mend="Give one of the two"
            )
        self.protocol = "file"
        self.git_dir = find_git_dir(folder, self._git)
        self._url = self.git_dir.as_uri()
        settings = [part for line in (*FIXED_CONFIG, f"safe.directory={self.git_dir}") for part in ("-c", line)]
        git = ["env", "GIT_ALLOW_PROTOCOL=none", "git", *settings]  # a partial clone fetches nothing for us
        self._programs = (shlex.join([*git, "upload-pack"]), shlex.join([*git, "receive-pack"]))

    def refs(self, *names: str) -> RemoteRefs:
        """Ask for HEAD and for refs by their full names."""
        commits: dict[str, str] = {}
        head = None
        for value, name in self._listing("HEAD", *names):
            if value.startswith("ref: ") and name == "HEAD":
                head = value.removeprefix("ref: refs/heads/")
            elif name in {"HEAD", *names}:
                commits[name] = value
        return RemoteRefs(commits, head if "HEAD" in commits else None)

    def branches(self) -> list[str]:
        """Return the names of all branches, without ``refs/heads/``, sorted."""
        return sorted(name.removeprefix("refs/heads/") for _, name in self._listing("refs/heads/*"))

    def _listing(self, *patterns: str) -> list[tuple[str, str]]:
        """Return value and name of each ref, and for HEAD the branch too: ``("ref: refs/heads/main", "HEAD")``."""
        options = ("--symref", *self._other_end("upload-pack"))
        listing = self._talk("ls-remote", *options, "--", self._url, *patterns).decode(errors="surrogateescape")
        return [(value, name) for value, _, name in (line.partition("\t") for line in listing.splitlines())]

    def fetch(self, into: Path, wanted: Mapping[str, str], *, depth: int | None = None) -> None:
        """Copy refs of the remote (full name) to refs of a git directory of ours (full name), checking every object.

        `depth` is how many commits of the history come along; all for None.
        """
        shallow = "--update-shallow" if depth is None else f"--depth={depth}"
        options = ("--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", shallow)
        mapping = [f"+{source}:{target}" for source, target in wanted.items()]
        self._talk("fetch", *options, *self._other_end("upload-pack"), "--", self._url, *mapping, repository=into)

    def push(self, source: Path, *, commit: str, ref: str, expected: str | None) -> None:
        """Set one ref to a commit if it is where we last saw it (`expected`; None: it does not exist).

        A ref that has the commit already counts as set, also where the server refuses because of that: libcurl sends a
        request again by itself when a connection that was used before ends without an answer (``Curl_retry_request`` in
        lib/transfer.c). Raises `BranchMoved` when somebody else was faster, and `ValueError` for a ref that is none of
        ours.
        """
        self._set(source, commit, ref, expected)

    def delete(self, source: Path, *, ref: str, expected: str) -> None:
        """Take one ref away if it is where we last saw it. `source` is any repository of ours. Raises like `push`."""
        self._set(source, None, ref, expected)

    def _set(self, source: Path, commit: str | None, ref: str, expected: str | None) -> None:
        if ref != STATE_REF and not ref.startswith((PUSHED_BRANCHES, RUN_REFS)):
            raise ValueError(f"{ref} is not below {PUSHED_BRANCHES}")
        options = ("--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no")
        lease = f"--force-with-lease={ref}:{expected or ''}"
        target = (*self._other_end("receive-pack"), "--", self._url, f"{commit or ''}:{ref}")
        try:
            self._talk("push", *options, lease, *target, repository=source)
        except BranchMoved:
            if self.refs(ref).commits.get(ref) != commit:
                raise

    def checked_out_branches(self) -> frozenset[str]:
        """Return the full names of the branches that a checkout of the folder is on; none over HTTP."""
        if self.git_dir is None:
            return frozenset()
        call = GitCall(repository=None, env={"GIT_DIR": str(self.git_dir)})  # as a bare one it had no checkout
        listing = self._git.run("worktree", "list", "--porcelain", call=call)
        lines = listing.decode(errors="surrogateescape").splitlines()
        return frozenset(line.removeprefix("branch ") for line in lines if line.startswith("branch "))

    def _other_end(self, program: str) -> Sequence[str]:
        if self._programs is None:
            return ()
        return (f"--{program}={self._programs[program == 'receive-pack']}",)

    def _talk(self, *arguments: str, repository: Path = NO_REPOSITORY) -> bytes:
        call = GitCall(
            repository=repository,
            seconds=self._limits.seconds,
            written_file_bytes=self._limits.bytes,
            protocol=self.protocol,
            config=_CONFIG,
            secret_config=[(f"http.{self._url}.extraHeader", f"Authorization: {self._header}")] if self._header else [],
        )
        for pause in self._limits.pauses:
            try:
                return self._once(arguments, call)
            except BranchMoved:
                raise
            except Unreachable:
                time.sleep(pause)
        return self._once(arguments, call)

    def _once(self, arguments: Sequence[str], call: GitCall) -> bytes:
        try:
            return self._git.run(*arguments, call=call)
        except GitFailed as failure:
            raise explained(failure, url=self.name) from failure
