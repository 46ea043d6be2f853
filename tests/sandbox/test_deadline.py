"""Commands that end with the run, however long each may take by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from coordinator.sandbox.deadline import DeadlineSandbox
from coordinator.sandbox.protocol import Command, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.sandbox.confined import ConfinedSandbox
    from coordinator.sandbox.protocol import CommandResult


def timed(sandbox: ConfinedSandbox, left: float, script: str, *, seconds: float) -> CommandResult:
    """Run a script that may take so many seconds, in a run that has so many left."""
    place = sandbox.make_folder("timed")
    command = Command(("/bin/sh", "-c", script), cwd=place, limits=Limits(seconds=seconds))
    return DeadlineSandbox(sandbox, lambda: left).run(command)


@pytest.mark.parametrize(("left", "limit"), [(1.0, 600.0), (600.0, 1.0), (0.0, 600.0), (-5.0, 600.0)])
def test_what_ends_first_ends_the_command(sandbox: ConfinedSandbox, left: float, limit: float) -> None:
    began = time.monotonic()
    result = timed(sandbox, left, "echo begun; sleep 60", seconds=limit)
    assert result.timed_out
    assert time.monotonic() - began < 30


def test_within_the_time_nothing_is_different(sandbox: ConfinedSandbox) -> None:
    result = timed(sandbox, 60, "echo done", seconds=30)
    assert (result.exit_code, result.stdout, result.timed_out) == (0, b"done\n", False)


def test_the_other_limits_and_the_folders_are_those_of_the_sandbox_below(
    sandbox: ConfinedSandbox, tmp_path: Path
) -> None:
    wrapped = DeadlineSandbox(sandbox, lambda: 60.0)
    assert wrapped.description == sandbox.description
    place = wrapped.make_folder("wrapped")
    inner = place / "inner"
    inner.mkdir()
    wrapped.give(inner)
    limits = Limits(seconds=30, output_bytes=10)
    result = wrapped.run(Command(("/bin/sh", "-c", "echo 0123456789abc; echo x > file"), cwd=inner, limits=limits))
    assert (result.stdout, result.truncated) == (b"0123456789", True)
    assert (inner / "file").read_text() == "x\n"
    assert not any(tmp_path.iterdir())
