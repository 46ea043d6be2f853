"""The agent's checkout: the files of a commit, and a git repository of their own that leads nowhere.

The agent may look at its work with ``git diff``, ``git status`` and ``git log``; the history is one commit. There is
no remote, no credential, no hook and no object of another branch or commit. What the agent does to this repository does
not matter: it is made once, before the agent starts, and never read again.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from coordinator.workspace.commit import COORDINATOR
from coordinator.workspace.export import export
from coordinator.workspace.git import GitCall

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.sandbox.protocol import Sandbox
    from coordinator.workspace.objects import TrustedRepository

_PLAIN_ATTRIBUTES = "* -text !eol !filter !ident !working-tree-encoding\n"
"""Overrides the project's own ``.gitattributes`` (gitattributes(5)): files are compared by their bytes."""


def make_checkout(
    repository: TrustedRepository, commit: str, sandbox: Sandbox, *, work: str | None = None
) -> tuple[Path, frozenset[str]]:
    """Create the folder in which the agent works, and hand it over.

    `work` is a tree of files that take the place of the commit's, as changes that nobody has committed yet. Returns the
    folder and the paths that could not be written (`export`).
    """
    folder = sandbox.make_folder("checkout-")
    absent = export(repository, commit, folder)
    git_dir = folder / ".git"
    call = GitCall(repository=git_dir, work_tree=folder, cwd=folder, env=COORDINATOR.environment)
    git = repository.git
    git.run("init", "--quiet", "--template=", "--initial-branch=work", call=call)
    for key, value in (("user.name", "agent"), ("user.email", "agent@noreply.invalid"), ("gc.auto", "0")):
        git.run("config", key, value, call=call)
    (git_dir / "info").mkdir()
    (git_dir / "info" / "attributes").write_text(_PLAIN_ATTRIBUTES)
    git.run("add", "--all", "--force", call=call)
    git.run("commit", "--quiet", "--no-verify", "--allow-empty", "--message=Start of the work", call=call)
    if work is not None:
        absent |= _replace_files(repository, work, folder)
    sandbox.give(folder)
    return folder, absent


def _replace_files(repository: TrustedRepository, work: str, folder: Path) -> frozenset[str]:
    """Write the files of a tree in place of those that are there."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name != ".git":
                shutil.rmtree(path)
        else:
            path.unlink()
    return export(repository, work, folder)
