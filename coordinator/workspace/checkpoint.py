"""What a run leaves in the forge so that another one, on another machine, can go on: one ref per issue.

``refs/coordinator/runs/issue-N`` is a commit whose tree holds ``about.json``, ``transcript.jsonl`` and ``work``: the
files of the checkout as they were. Its parent is the commit that the work stands on, so that a push sends only what is
new, and each one takes the place of the one before: no history grows. It is set by compare-and-swap like the state.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, ValidationError

from coordinator.errors import CoordinatorError, Misconfigured
from coordinator.models import Frozen
from coordinator.workspace.clone import BASE, run_ref
from coordinator.workspace.commit import COORDINATOR, write_commit
from coordinator.workspace.failures import BranchMoved
from coordinator.workspace.git import GitCall, GitFailed
from coordinator.workspace.remote import Remote, RemoteLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.forge.models import GitRemote
    from coordinator.workspace.git import Git
    from coordinator.workspace.objects import TrustedRepository

TRANSCRIPT_BYTES: Final = 8 * 1024 * 1024
"""Of a transcript in the forge. The history of a window of a million tokens is about half of it."""
SAVE_LIMITS: Final = RemoteLimits(seconds=30.0, pauses=())
"""Of one save: the run waits for it, and the next one comes soon."""
_ABOUT_BYTES: Final = 64 * 1024
_SHA1_DIGITS: Final = 40
_FETCHED: Final = "refs/coordinator/checkpoint"
_ABOUT, _TRANSCRIPT, _WORK = "about.json", "transcript.jsonl", "work"
_ID: Final = r"^[0-9a-f]{40,64}$"


class About(Frozen):
    """What a checkpoint is about."""

    version: Literal[1] = 1
    issue: int
    run: str
    """Name of the run that saved it."""
    saved_at: datetime
    profile: str
    """Name of the agent profile at work."""
    binding: str
    """Digest of what the conversation is bound to (`coordinator.agent.opening.binding`)."""
    text: str
    """Digest of the issue's text."""
    base: str = Field(pattern=_ID)
    """The commit of the base branch that the work is judged against."""
    branch: str | None = Field(default=None, pattern=_ID)
    """Where the work branch stood in the forge; None where there was none."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What an earlier run has left."""

    about: About
    transcript: bytes
    work: str | None
    """Tree of the files of the checkout; None where they could not be kept, because a secret was among them."""
    tip: str
    """The commit that the work stands on."""


class Checkpoints:
    """The checkpoint of one issue in the forge: read at the start of a run, written by that run."""

    def __init__(
        self,
        remote: Remote,
        quick: Remote,
        repository: TrustedRepository,
        *,
        issue: int,
        base_branch: str,
        seen: str | None,
    ) -> None:
        """`quick` is the same remote with `SAVE_LIMITS`; `seen` is where the ref stands there, None for nowhere."""
        self._remote = remote
        self._quick = quick
        self._repository = repository
        self._issue = issue
        self._base = f"refs/heads/{base_branch}"
        self._seen = seen
        self.ref = run_ref(issue)

    @property
    def is_there(self) -> bool:
        """Whether the forge has a checkpoint, as far as we know."""
        return self._seen is not None

    def load(self) -> Checkpoint:
        """Fetch the checkpoint that is there.

        Raises `Misconfigured` for one that cannot be used, and what the remote raises.
        """
        self._remote.fetch(self._repository.git_dir, {self.ref: _FETCHED})
        try:
            return self._read()
        except (GitFailed, ValidationError, KeyError, Misconfigured) as error:
            why = error.what if isinstance(error, CoordinatorError) else type(error).__name__
            raise Misconfigured(
                f"What an earlier run has left in {self.ref} of {self._remote.name} cannot be used: {why}",
                mend="Nothing has to be done: it is replaced when this run saves its own",
            ) from error

    def _read(self) -> Checkpoint:
        commit = self._repository.resolve(_FETCHED)
        about = About.model_validate_json(self._file(commit, _ABOUT, _ABOUT_BYTES))
        if about.issue != self._issue:
            raise Misconfigured(f"it is about issue #{about.issue}", mend="Look who has written it")
        transcript = self._file(commit, _TRANSCRIPT, 2 * TRANSCRIPT_BYTES)
        return Checkpoint(about, transcript, self._work_of(commit), self._repository.resolve(f"{_FETCHED}^"))

    def _file(self, commit: str, path: str, limit: int) -> bytes:
        content = self._repository.read_file(commit, path, limit=limit)
        if content is None:
            raise KeyError(path)
        return content

    def _work_of(self, commit: str) -> str | None:
        listing = self._git("ls-tree", "-z", "--full-tree", commit, "--", _WORK).partition(b"\t")[0].split()
        return listing[2].decode() if listing[1:2] == [b"tree"] else None

    def save(self, about: About, transcript: bytes, *, work: str | None, tip: str) -> None:
        """Set the ref to a new commit. Raises what the remote raises, `BranchMoved` where another run was faster.

        After that the next save takes the place of what that run has saved: whoever has the claim is right.
        """
        files = {_ABOUT: about.model_dump_json(indent=1).encode(), _TRANSCRIPT: transcript}
        lines = [f"100644 blob {self._blob(content)}\t{name}" for name, content in files.items()]
        lines += [f"040000 tree {work}\t{_WORK}"] if work else []
        tree = self._git("mktree", "-z", stdin="".join(f"{line}\0" for line in lines).encode()).decode().strip()
        commit = write_commit(self._repository, tree, [tip], f"Checkpoint of issue #{self._issue}\n", COORDINATOR)
        if self._seen is None:  # a push leaves out what the remote has, as far as we know that
            self._quick.fetch(self._repository.git_dir, {self._base: BASE})
        git_dir, seen = self._repository.git_dir, self._seen
        self._swap(commit, lambda: self._quick.push(git_dir, commit=commit, ref=self.ref, expected=seen))

    def drop(self) -> None:
        """Take the checkpoint away, if there is one. Raises like `save`."""
        git_dir, seen = self._repository.git_dir, self._seen
        if seen is not None:
            self._swap(None, lambda: self._quick.delete(git_dir, ref=self.ref, expected=seen))

    def _swap(self, after: str | None, change: Callable[[], None]) -> None:
        try:
            change()
        except BranchMoved:
            self._seen = self._quick.refs(self.ref).commits.get(self.ref)
            raise
        self._seen = after

    def _blob(self, content: bytes) -> str:
        return self._git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return self._repository.git.run(*arguments, call=GitCall(repository=self._repository.git_dir, stdin=stdin))


def drop_checkpoint(where: GitRemote, git: Git, *, issue: int) -> None:
    """Take the checkpoint of an issue away without a clone, if there is one. Raises what the remote raises."""
    remote, ref = Remote(where, git, SAVE_LIMITS), run_ref(issue)
    seen = remote.refs(ref).commits.get(ref)
    if seen is None:
        return
    with tempfile.TemporaryDirectory(prefix="coordinator-") as folder:
        empty = Path(folder) / "empty.git"
        object_format = "sha1" if len(seen) == _SHA1_DIGITS else "sha256"
        options = ("--quiet", "--bare", "--template=", f"--object-format={object_format}")
        git.run("init", *options, call=GitCall(repository=empty))
        remote.delete(empty, ref=ref, expected=seen)
