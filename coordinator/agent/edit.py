"""The tool `edit`: one exact replacement in one file, made by a confined child."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from coordinator.agent.output import clean, shorten
from coordinator.agent.tools import ToolInput, ToolResult, define, read_input
from coordinator.models import Foreign
from coordinator.sandbox.protocol import Command, Limits, Network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.agent.reply import Block
    from coordinator.sandbox.protocol import Sandbox

SECONDS = 30.0

DESCRIPTION = (
    "Replace one text in one file, or create a file. `old` must stand in the file exactly once, with its white space; "
    "give enough lines around it to make it unique. An empty `old` creates the file, with its folders, and refuses to "
    "overwrite one that has content. To move or delete files, use bash."
)


class EditInput(ToolInput):
    """What `edit` takes."""

    path: str = Field(min_length=1)
    """Path of the file, relative to the root of the checkout."""
    old: str
    """The text to replace, exactly as it stands in the file; empty to create the file."""
    new: str
    """The text to put in its place."""


class _Answer(Foreign):
    ok: bool
    message: str


class EditTool:
    """Runs `coordinator/agent/edit_file.py` in the checkout through the sandbox."""

    def __init__(self, sandbox: Sandbox, checkout: Path, *, python: str) -> None:
        """Take the parts. `python` is an interpreter that confined commands can run and the agent cannot change."""
        self.name = "edit"
        self.definition: Block = define(self.name, DESCRIPTION, EditInput)
        self._sandbox = sandbox
        self._checkout = checkout
        source = files(__package__).joinpath("edit_file.py").read_text(encoding="utf-8")
        # As an argument, not as a file: the confined account may be unable to read our folder.
        # -I and -S: no code of the checkout runs in it.
        self._argv = (python, "-I", "-S", "-c", source)

    def run(self, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Make one edit. Raises `BadInput`."""
        given = read_input(EditInput, arguments)
        result = self._sandbox.run(
            Command(
                argv=self._argv,
                cwd=self._checkout,
                limits=Limits(seconds=SECONDS),
                stdin=json.dumps(given.model_dump()).encode(),
                network=Network.NONE,
            )
        )
        try:
            answer = _Answer.model_validate_json(result.stdout)
        except ValidationError:
            how = "it took too long" if result.timed_out else shorten(clean(result.stderr), "the rest was dropped")
            return ToolResult(f"{given.path}: the edit failed: {how.strip()}", is_error=True)
        return ToolResult(answer.message, is_error=not answer.ok)
