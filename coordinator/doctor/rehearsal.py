"""Finding out whether a push would be let in, without one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coordinator.errors import Misconfigured
from coordinator.workspace.failures import explained
from coordinator.workspace.git import Git, GitCall, GitFailed
from coordinator.workspace.remote import PUSHED_BRANCHES

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.forge.models import GitRemote

SECONDS = 60.0
_MEND = (
    "Give a token of an account that may write (on Gitea with the scope write:repository), and see that the repository "
    "is neither archived nor a mirror"
)
_AUTHOR = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "coordinator"), ("EMAIL", "coordinator@localhost"))
}


def rehearse_push(where: GitRemote, git: Git, folder: Path) -> None:
    """Ask an http(s) repository whether it takes pushes of this token.

    ``git push --dry-run`` asks for the refs of the service that takes pushes (gitprotocol-http(5), "Smart Server
    Response") and sends nothing. There GitHub looks at the account's rights; Gitea at the scopes of the token and at
    whether the repository is archived or a mirror, and at the rights only when something is sent
    (``routers/web/repo/githttp.go``: whoever may read may push to ``refs/for``). Branch protection is seen by none.

    `folder` gets an empty repository. Raises `Misconfigured` for a refusal, `Unreachable` for no answer.
    """
    repository = folder / "rehearsal.git"
    git.run("init", "--quiet", "--bare", "--template=", "--", str(repository), call=GitCall(repository=None))
    own = GitCall(repository=repository, env=_AUTHOR)
    tree = git.run("mktree", call=own).decode().strip()
    commit = git.run("commit-tree", "-m", "Nothing", tree, call=own).decode().strip()
    call = GitCall(
        repository=repository,
        seconds=SECONDS,
        protocol=urlsplit(where.url).scheme,
        secret_config=[(f"http.{where.url}.extraHeader", f"Authorization: {where.authorization}")],
    )
    target = f"{commit}:{PUSHED_BRANCHES}doctor"
    try:
        git.run("push", "--dry-run", "--porcelain", "--no-verify", "--force", "--", where.url, target, call=call)
    except GitFailed as failure:
        error = explained(failure, url=where.url)
        if isinstance(error, Misconfigured):
            raise Misconfigured(error.what, mend=_MEND) from failure
        raise error from failure
