"""The workflow that users copy, with the address of the action filled in, and the folder that it belongs into."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW_NAME = "coordinator.yml"
"""The name under which the workflow is dispatched: every folder of workflows has it by this one."""
FOLDERS = {
    "forgejo": ".forgejo/workflows",
    "gitea": ".gitea/workflows",
    "github": ".github/workflows",
}
"""Where workflows are, by forge. A forge reads the first folder that there is, its own before those below it: Forgejo
all three in this order, Gitea the last two, GitHub the last (``modules/actions/workflows.go`` of both)."""

_REPOSITORY = re.compile(r"(?!\.\.?/)[\w.][\w.-]*/(?!\.\.?$)[\w.][\w.-]*", re.ASCII)
_REF = re.compile(r"(?!.*\.\.)\w[\w./+-]{0,199}", re.ASCII)
_FIELD = '          {name}: ""'


def workflow_text(action_repository: str | None, action_ref: str | None) -> str:
    """Return the workflow. None leaves the field empty: the repository itself, and its default branch.

    Raises `Misconfigured` for a name that is none; only harmless characters get into the file.
    """
    if action_repository is not None and not _REPOSITORY.fullmatch(action_repository):
        what = "--action-repository is not the name of a repository"
        raise Misconfigured(what, mend="Write it as owner/name, a repository of the same server")
    if action_ref is not None and not _REF.fullmatch(action_ref):
        raise Misconfigured("--action-ref is no tag, branch or commit", mend="Write it as v0.1.0, or as a full commit")
    text = (files("coordinator.init") / WORKFLOW_NAME).read_text(encoding="utf-8")
    return _filled(_filled(text, "ACTION_REPOSITORY", action_repository), "ACTION_REF", action_ref)


def _filled(text: str, name: str, value: str | None) -> str:
    """Put a value into its field, in place of the example behind it."""
    if value is None:
        return text
    field = _FIELD.format(name=name)
    return re.sub(rf"(?m)^{re.escape(field)}.*$", lambda _: f'{field[:-1]}{value}"', text, count=1)


def workflow_folder(top: Path, forge: str | None) -> str:
    """Return the folder of workflows: that of the forge, else the one that is there, else Gitea's.

    Of several that are there the first counts, as for a forge that reads them all.
    """
    if forge is not None:
        return FOLDERS[forge]
    return next((folder for folder in FOLDERS.values() if (top / folder).is_dir()), FOLDERS["gitea"])


def served_forges(folder: str, forge: str | None) -> tuple[str, ...]:
    """Return which forges may be meant, as other commands call them; GitHub's folder is read by all."""
    if forge is None and folder == FOLDERS["github"]:
        return ("gitea", "github")
    return ("github",) if forge == "github" else ("gitea",)


def hidden_folders(top: Path, folder: str) -> tuple[str, ...]:
    """Return folders of workflows that a new `folder` would hide: a forge reads one folder only, never several."""
    if (top / folder).exists():
        return ()
    order = list(FOLDERS.values())
    return tuple(other for other in order[order.index(folder) + 1 :] if (top / other).is_dir())
