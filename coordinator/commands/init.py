"""`coordinator init`: the workflow and a commented configuration for a repository, and what is left to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from coordinator.commands.results import print_json
from coordinator.environment import DEFAULT_CONFIGURATION_PATH
from coordinator.errors import ExitCode
from coordinator.init.commented import commented_configuration
from coordinator.init.steps import remaining_steps
from coordinator.init.workflow import (
    WORKFLOW_NAME,
    hidden_folders,
    served_forges,
    workflow_folder,
    workflow_text,
)
from coordinator.init.writing import Done, Placed, checkout_of, place
from coordinator.models import Frozen

if TYPE_CHECKING:
    import argparse


class Started(Frozen):
    """What `init` did and what it did not; the document of ``--format json``, with the exit code."""

    exit_code: int
    files: tuple[Placed, ...]
    notes: tuple[str, ...]
    """What may surprise somebody."""
    steps: tuple[str, ...]
    """What is left to do, in order."""


def execute(arguments: argparse.Namespace) -> int:
    """Write what is not there yet; return 0, or 2 when a file was refused."""
    workflow = workflow_text(arguments.action_repository, arguments.action_ref)
    top = checkout_of(arguments.repo)
    folder = workflow_folder(top, arguments.forge)
    notes = tuple(
        f"{folder} is new and hides {hidden}: a forge reads one folder of workflows only. Move the others along"
        for hidden in hidden_folders(top, folder)
    )
    texts = {f"{folder}/{WORKFLOW_NAME}": workflow, DEFAULT_CONFIGURATION_PATH: commented_configuration()}
    placed = tuple(place(top, path, text, force=arguments.force) for path, text in texts.items())
    refused = any(one.state is Done.REFUSED for one in placed)
    forges = served_forges(folder, arguments.forge)
    steps = remaining_steps(forges, folder, tuple(texts), names_action=arguments.action_repository is not None)
    code = ExitCode.MISUSE if refused else ExitCode.DONE
    _show(Started(exit_code=int(code), files=placed, notes=notes, steps=steps), as_json=arguments.format == "json")
    return int(code)


def _show(started: Started, *, as_json: bool) -> None:
    if as_json:
        print_json(started.model_dump(mode="json"))
    else:
        sys.stdout.write("\n".join(_lines(started)) + "\n")
    refused = [f"{one.path}: {one.reason}" for one in started.files if one.state is Done.REFUSED]
    if refused:
        sys.stderr.write(f"coordinator: error: not written: {'; '.join(refused)}.\n")


def _lines(started: Started) -> list[str]:
    files = [f"{one.state:<11}{one.path}" for one in started.files]
    notes = [f"{'note':<11}{note}" for note in started.notes]
    steps = [f"  {number}. {step}" for number, step in enumerate(started.steps, start=1)]
    return [*files, *notes, "", "What is left to do:", *steps]
