"""The state in one ref of the forge's git: every change a commit, pushed only where the ref has not moved since.

No clone fetches such a ref and no workflow is started by it. `git push --force-with-lease` compares with the value that
we have seen, and the server compares once more under its lock (git-push(1)), so two runners cannot both win.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from coordinator.errors import Misconfigured, Unreachable
from coordinator.state.files import decode, differences, is_ours
from coordinator.state.folding import fold
from coordinator.state.records import State
from coordinator.workspace.commit import COORDINATOR
from coordinator.workspace.failures import BranchMoved
from coordinator.workspace.git import GitCall
from coordinator.workspace.objects import TrustedRepository
from coordinator.workspace.remote import STATE_REF, Remote, RemoteLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from coordinator.forge.models import GitRemote
    from coordinator.workspace.git import Git

_FETCHED: Final = "refs/coordinator/fetched"
_WRITTEN: Final = "refs/coordinator/written"
_SHA1_DIGITS: Final = 40
_FILE_BYTES: Final = 1024 * 1024
"""Of one issue, with all that is kept of it, some twenty thousand at most."""

STATE_LIMITS: Final = RemoteLimits(seconds=60.0, bytes=256 * 1024 * 1024)
"""Of one exchange: a heartbeat must come to its end well within the lease."""


@dataclass(frozen=True, slots=True)
class RacePatience:
    """How long a change is tried that others are always faster with. Seconds."""

    first_pause: float = 0.3
    longest_pause: float = 10.0
    """Pauses are random, up to a bound that doubles until here."""
    seconds: float = 120.0
    """After this no further try is begun."""


DEFAULT_PATIENCE: Final = RacePatience()


@dataclass(frozen=True, slots=True)
class _Known:
    """The state as we last saw it."""

    commit: str | None = None
    """None where there is none yet."""
    state: State = field(default_factory=State)


class GitStateStore:
    """A `StateStore` on `refs/coordinator/state` of a forge's repository, safe for threads.

    All methods raise `Misconfigured` for a token that may not read or write, a server that takes no such ref and a file
    that is broken, and `Unreachable` after all tries.
    """

    def __init__(
        self,
        remote: GitRemote,
        git: Git,
        folder: Path,
        *,
        limits: RemoteLimits = STATE_LIMITS,
        patience: RacePatience = DEFAULT_PATIENCE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare a store. Nothing is asked before the first call; `folder` is for the store's own clone."""
        self._remote = Remote(remote, git, limits)
        self._repository = TrustedRepository(folder / "state.git", git)
        self._patience = patience
        self._now = now
        self._known = _Known()
        self._digits = _SHA1_DIGITS
        self._lock = threading.RLock()

    def read(self) -> State:
        """Return the newest state: one question, and a fetch where it has changed."""
        with self._lock:
            self._refresh()
            return self._known.state

    def change(self, why: str, edit: Callable[[State], State]) -> State:
        """Change the state as `StateStore.change` says."""
        with self._lock:
            for _ in self._tries():
                before = self.read()
                edited = edit(before)
                if edited == before:
                    return before
                if self._publish(fold(edited, self._now()), why):
                    return self._known.state
        raise Unreachable(
            f"Other runs have changed {self._place} for {self._patience.seconds:g} s without a pause",
            mend="Run again; fewer runs at once (queue.parallel) if it happens often",
        )

    @property
    def _place(self) -> str:
        return f"{STATE_REF} in {self._remote.name}"

    def _tries(self) -> Iterator[None]:
        """Give one try after another, with random pauses, so that racing runs do not stay in step."""
        end = time.monotonic() + self._patience.seconds
        bound = self._patience.first_pause
        chance = random.SystemRandom()
        yield
        while time.monotonic() < end:
            time.sleep(chance.uniform(0, bound))
            bound = min(2 * bound, self._patience.longest_pause)
            yield

    def _refresh(self) -> None:
        refs = self._remote.refs(STATE_REF)
        self._digits = max(map(len, refs.commits.values()), default=_SHA1_DIGITS)
        commit = refs.commits.get(STATE_REF)
        if commit is None:
            self._known = _Known()
        elif commit != self._known.commit:
            self._remote.fetch(self._clone(), {STATE_REF: _FETCHED}, depth=1)
            fetched = self._fetched_commit()
            self._known = _Known(fetched, self._decoded(fetched))

    def _clone(self) -> Path:
        """Return our clone, which is made at first need with object ids as the remote has them."""
        git_dir = self._repository.git_dir
        if not git_dir.exists():
            git_dir.parent.mkdir(parents=True, exist_ok=True)
            object_format = "sha1" if self._digits == _SHA1_DIGITS else "sha256"
            self._git("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")
        return git_dir

    def _fetched_commit(self) -> str:
        try:
            return self._repository.resolve(_FETCHED)
        except Misconfigured:
            raise Misconfigured(f"{self._place} is no commit", mend=self._start_anew) from None

    @property
    def _start_anew(self) -> str:
        return f"Put it right, or forget all claims and costs: git push {self._remote.name} :{STATE_REF}"

    def _decoded(self, commit: str) -> State:
        entries = [entry for entry in self._repository.entries(commit) if is_ours(entry.path)]
        for entry in entries:
            if not entry.is_file or entry.size > _FILE_BYTES:
                what = f"{entry.path} of {self._place} is no file of at most {_FILE_BYTES} bytes"
                raise Misconfigured(what, mend=self._start_anew)
        blobs = self._repository.blobs([entry.object_id for entry in entries])
        files = {entry.path: blob.read() for entry, blob in zip(entries, blobs, strict=True)}
        return decode(files, place=self._place, mend=self._start_anew)

    def _publish(self, after: State, why: str) -> bool:
        """Push a new state; return whether nobody was faster."""
        before = self._known
        commit = self._write(differences(before.state, after, complete=before.commit is None), why)
        try:
            self._remote.push(self._repository.git_dir, commit=commit, ref=STATE_REF, expected=before.commit)
        except BranchMoved:
            return False
        except Misconfigured as error:
            raise Misconfigured(
                f"The state could not be written to {STATE_REF}: {error.what}",
                mend="Give a token that may write the repository's code (Gitea: write:repository, GitHub: contents: "
                "write), and let no hook or rule refuse refs/coordinator",
            ) from error
        self._known = _Known(commit, after)
        return True

    def _write(self, changed: Mapping[str, bytes | None], why: str) -> str:
        """Write a commit on top of the one we know, and return its id (git-fast-import(1)).

        No two are ever the same, so that a push that finds the ref where it should be has put it there itself.
        """
        message = f"{' '.join(why.split())}\n\nChange: {secrets.token_hex(8)}\n"
        by = f"{COORDINATOR.name} <{COORDINATOR.email}>"
        lines = [f"commit {_WRITTEN}\nmark :1\ncommitter {by} now\n".encode(), _data(message.encode())]
        if self._known.commit:
            lines.append(f"from {self._known.commit}\n".encode())
        for path, content in sorted(changed.items()):
            lines.append(f"D {path}\n".encode() if content is None else f"M 100644 inline {path}\n".encode())
            lines.append(b"" if content is None else _data(content))
        lines.append(b"\nget-mark :1\ndone\n")
        self._clone()
        options = ("--quiet", "--done", "--force", "--date-format=now", "--cat-blob-fd=1")
        return self._git("fast-import", *options, stdin=b"".join(lines)).decode().strip()

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return self._repository.git.run(*arguments, call=GitCall(repository=self._repository.git_dir, stdin=stdin))


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)
