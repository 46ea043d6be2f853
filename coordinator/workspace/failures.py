"""What git says when a remote repository does not do as asked, as one of the coordinator's own exceptions.

git has one exit code for all of it, so the text decides (with ``LC_ALL=C``): of git's remote-curl.c, transport.c and
index-pack.c, and of libcurl.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError, Misconfigured, Unreachable

if TYPE_CHECKING:
    from coordinator.workspace.git import GitFailed


class BranchMoved(Unreachable):
    """Somebody else changed a branch while we worked. Nothing of theirs was overwritten."""


@dataclass(frozen=True, slots=True)
class _Case:
    """How one kind of failure is recognised and told. `what` may use ``{url}`` and ``{reason}``."""

    pattern: str
    kind: type[CoordinatorError]
    what: str
    mend: str


_CASES = (
    _Case(
        r"stale info|fetch first|non-fast-forward|reference already exists|is at \w+ but expected \w+",
        BranchMoved,
        "The branch was changed in {url} while this run worked; it was not overwritten",
        "Run again: the new run goes on from what is there now",
    ),
    _Case(
        r"branch is currently checked out|refusing to update checked out branch",
        Misconfigured,
        "The work branch is checked out in {url}, and a checkout is never changed",
        "Switch that checkout to another branch, e.g. `git switch -`, and run again",
    ),
    _Case(
        r"directory file conflict|cannot lock ref .* exists; cannot create",
        Misconfigured,
        "A branch in {url} has a name that leaves no room for the work branch",
        "Rename the branch `coordinator`: the work branches are called coordinator/issue-N",
    ),
    _Case(
        r"failed to update ref|incorrect old value provided|unable to create '[^']*\.lock'",
        BranchMoved,
        "The branch was being changed in {url} at the same time; it was not overwritten",
        "Run again: the new run goes on from what is there now",
    ),
    _Case(
        r"hook declined|protected branch|not allowed to push|pre-receive|hidden ref",
        Misconfigured,
        "{url} refused the push: {reason}",
        "Let the token's account push branches named coordinator/*, and check the branch protection rules",
    ),
    _Case(
        r"could not read (Username|Password)|Authentication failed|returned error: 40[13]|HTTP Basic: Access denied",
        Misconfigured,
        "{url} refused the token",
        "Give a token that may read and write this repository (on Gitea the scope write:repository)",
    ),
    _Case(
        r"returned error: 30\d|unable to update url base from redirection",
        Misconfigured,
        "{url} answers with a redirect, which is not followed because the token would go along",
        "Configure the final address of the server",
    ),
    _Case(
        r"returned error: 404|repository '.*' not found|does not appear to be a git repository|not a git repository",
        Misconfigured,
        "There is no repository at {url}, or the token may not see it",
        "Check the address and what the token may read",
    ),
    _Case(
        r"SSL certificate|server certificate|certificate verif",
        Misconfigured,
        "The certificate of {url} is not trusted: {reason}",
        "Add the server's certificate authority to the runner (SSL_CERT_FILE or GIT_SSL_CAINFO)",
    ),
    _Case(
        r"promisor remote|lazy fetching",
        Misconfigured,
        "{url} is a partial clone that lacks some of its objects",
        "Complete it first: git fetch --refetch --no-filter",
    ),
    _Case(
        r"died of signal 25|File too large|file write error",
        Misconfigured,
        "{url} is larger than a run may fetch",
        "Shrink the repository's history, or raise the bound on its size",
    ),
    _Case(
        r"error in object|fsck error|object \w+: \w+: ",
        Misconfigured,
        "{url} holds an object that is broken or hostile: {reason}",
        "Look at it with `git fsck --strict` and take it out of the branch's history",
    ),
)


def explained(failure: GitFailed, *, url: str) -> CoordinatorError:
    """Return what a failed fetch or push means for the user, and what to do about it."""
    said = f"{failure.stderr}\n{failure.stdout}"
    for case in _CASES:
        if not failure.timed_out and re.search(case.pattern, said, re.IGNORECASE):
            return case.kind(case.what.format(url=url, reason=failure.reason), mend=case.mend)
    reason = "it took too long" if failure.timed_out else failure.reason
    return Unreachable(
        f"git {failure.arguments[0]} did not get through to {url}: {reason}",
        mend="Run again when the server answers; `git ls-remote` from the runner shows whether it does",
    )
