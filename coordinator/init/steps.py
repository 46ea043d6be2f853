"""What a person has to do after `coordinator init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.configuration import TriggerSection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SCOPES = {
    "gitea": "the scopes write:repository, write:issue and read:user (read:organization too where an organisation "
    "owns the repository)",
    "github": "read and write for Actions, Commit statuses, Contents, Issues and Pull requests of the repository",
}


def remaining_steps(forges: Sequence[str], folder: str, paths: Sequence[str], *, names_action: bool) -> tuple[str, ...]:
    """Return what is left to do, in order, for the workflow in `folder` and the files in `paths`.

    `forges` are those that may be meant, as ``--forge`` of the other commands calls them: ``gitea`` (Forgejo too) and
    ``github``. `names_action` says whether the workflow names the repository of the action.
    """
    return tuple(_steps(forges, folder, paths, names_action=names_action))


def _steps(forges: Sequence[str], folder: str, paths: Sequence[str], *, names_action: bool) -> Iterator[str]:
    trigger = TriggerSection()
    if not names_action:
        yield (
            f"Set ACTION_REPOSITORY in {folder}/coordinator.yml to the repository of this server that holds the "
            "action, and ACTION_REF to a tag of it (empty: this repository itself is the action)"
        )
    yield f"Create the account {trigger.assignee} and give it write access to the repository, not more"
    yield f"Create a token of that account with {_for_each(forges, _SCOPES)}"
    yield (
        "Add two secrets for Actions in the repository's settings: COORDINATOR_TOKEN (that token) and "
        "ANTHROPIC_API_KEY; COORDINATOR_WEBHOOK_SECRET as well, if `coordinator serve` passes events on"
    )
    yield f"Create the label {trigger.label}, if issues shall be started by a label as well"
    yield f"Commit and push to the default branch: git add {' '.join(paths)}"
    doctor = " or ".join(f"coordinator doctor --forge {forge}" for forge in forges)
    yield f"See whether all is well: {doctor}. Then assign an issue to {trigger.assignee}, or label it {trigger.label}"


def _for_each(forges: Sequence[str], texts: dict[str, str]) -> str:
    """Say what holds for the one forge, or for each by its name."""
    if len(forges) == 1:
        return texts[forges[0]]
    return "; ".join(f"on {forge.title()} {texts[forge]}" for forge in forges)
