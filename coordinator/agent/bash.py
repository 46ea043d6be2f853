"""The tool `bash`: one command in a fresh shell, confined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from coordinator.agent.output import SHOWN, clean, shorten
from coordinator.agent.tools import ToolInput, ToolResult, define, read_input
from coordinator.sandbox.protocol import Command, Limits, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.agent.output import OutputFiles
    from coordinator.agent.reply import Block
    from coordinator.sandbox.protocol import CommandResult, Sandbox

DEFAULT_SECONDS = 120.0
LONGEST_SECONDS = 600.0
LONGEST_COMMAND = 100_000
"""Bytes. Linux takes 131 072 for one argument (``MAX_ARG_STRLEN``)."""
QUIET = {"PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "TERM": "dumb"}
"""Nothing may wait for a person."""

DESCRIPTION = (
    "Run a command with bash in the root of the checkout. Every call is a fresh shell: changes of folder and variables "
    "are gone in the next one, and so is everything that was started in the background. There is no input and no "
    "terminal. Long output is shown by its beginning and its end, and kept in a file that is named."
)


class BashInput(ToolInput):
    """What `bash` takes."""

    command: str = Field(min_length=1)
    """The command, as typed into bash."""
    timeout_seconds: float = Field(default=DEFAULT_SECONDS, gt=0)
    """Time limit; default 120, at most 600."""

    @field_validator("command")
    @classmethod
    def _can_be_passed(cls, command: str) -> str:
        if "\0" in command:
            raise ValueError("it holds a NUL character")
        if (size := len(command.encode())) > LONGEST_COMMAND:
            raise ValueError(f"it is {size} bytes long; write a file with edit and run that")
        return command


class BashTool:
    """Runs commands in the checkout through the sandbox."""

    def __init__(
        self,
        sandbox: Sandbox,
        checkout: Path,
        files: OutputFiles,
        *,
        environment: Mapping[str, str],
        network: Network,
        remaining_seconds: Callable[[], float],
        redact: Callable[[str], str],
    ) -> None:
        """Take the parts. `environment` is that of the target project; `remaining_seconds` is left of the run.

        `redact` masks secrets before the output is cut: half a secret would not be found any more.
        """
        self.name = "bash"
        self.definition: Block = define(self.name, DESCRIPTION, BashInput)
        self._sandbox = sandbox
        self._checkout = checkout
        self._files = files
        self._environment = {**QUIET, **environment}
        self._network = network
        self._remaining_seconds = remaining_seconds
        self._redact = redact

    def run(self, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Run one command. Raises `BadInput`."""
        given = read_input(BashInput, arguments)
        seconds = min(given.timeout_seconds, LONGEST_SECONDS, max(1.0, self._remaining_seconds()))
        result = self._sandbox.run(
            Command(
                argv=("bash", "-c", given.command),
                cwd=self._checkout,
                limits=Limits(seconds=seconds),
                env=self._environment,
                merge_stderr=True,
                network=self._network,
            )
        )
        text = self._redact(clean(result.stdout))
        if len(text) > SHOWN:
            text = shorten(text, self._files.keep(text))
        return ToolResult(f"{text.rstrip()}\n{_ending(result, seconds)}".lstrip("\n"), is_error=result.timed_out)


def _ending(result: CommandResult, seconds: float) -> str:
    """Return the last line of a result: how the command ended."""
    notes = ["output beyond the limit was dropped"] if result.truncated else []
    notes += [] if result.stdout.strip() else ["no output"]
    if result.timed_out:
        how = f"stopped at the time limit of {seconds:.0f} s"
    elif result.signal is not None:
        how = f"ended by signal {result.signal}"
    else:
        how = f"exit code {result.exit_code}"
    return f"[{'; '.join([how, *notes])}]"
