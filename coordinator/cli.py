"""The command line: reads the arguments, runs one command, turns every expected failure into one line and a code."""

from __future__ import annotations

import atexit
import gc
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from coordinator.arguments import build_parser
from coordinator.errors import CoordinatorError, ExitCode, Unreachable
from coordinator.report.console import harmless_anywhere, harmless_json
from coordinator.signals import Terminated

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pydantic import JsonValue

INTERRUPTED = 130
"""What shells report for a process that Ctrl-C ended: 128 + SIGINT."""


class CommandModule(Protocol):
    """A module of `coordinator.commands`."""

    def execute(self, arguments: argparse.Namespace) -> int:
        """Run the command and return its exit code."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `--help`, `--version` and wrong use exit by themselves (0 and 2)."""
    atexit.register(gc.freeze)  # on its way out Python looks through all that is left, twice: 20 ms
    arguments = build_parser().parse_args(argv)
    as_json = arguments.format == "json"
    try:
        command = cast("CommandModule", import_module(f"coordinator.commands.{arguments.command}"))
        return command.execute(arguments)
    except CoordinatorError as error:
        return report_failure(error, as_json=as_json)
    except KeyboardInterrupt:
        sys.stderr.write("coordinator: interrupted\n")
        return INTERRUPTED
    except Terminated:
        return report_failure(Unreachable("the run was cancelled", mend="start it again to go on"), as_json=as_json)
    except Exception as error:  # noqa: BLE001  (the edge: a bug must not show a traceback, which may hold secrets)
        return report_failure(_bug(error), as_json=as_json)


def _bug(error: Exception) -> Unreachable:
    """Name a bug by its type and place only: its message could hold a secret or somebody's text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    ours = [frame for frame in frames if "coordinator" in Path(frame.filename).parts]
    if ours:
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}, at {place}"
    return Unreachable(
        f"internal error: {type(error).__name__} in {place}",
        mend="This is a fault of the coordinator: please report this line",
    )


def report_failure(error: CoordinatorError, *, as_json: bool) -> int:
    """Print one line on standard error, with `--format json` also one document on standard output."""
    outcome = "refused" if error.exit_code is ExitCode.REFUSED else "failed"
    line = f"coordinator: {'refused' if outcome == 'refused' else 'error'}: {error}"
    sys.stderr.write(harmless_anywhere(line) + "\n")
    if as_json:
        document: JsonValue = {"outcome": outcome, "reason": str(error), "exit_code": int(error.exit_code)}
        sys.stdout.write(harmless_json(document) + "\n")
    return int(error.exit_code)
