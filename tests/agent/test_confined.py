"""The two tools through the sandbox of the coordinator itself."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from coordinator.agent.bash import BashTool
from coordinator.agent.edit import EditTool
from coordinator.agent.output import OutputFiles
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Network
from tests.agent.support import redact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.sandbox.confined import ConfinedSandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ConfinedSandbox]:
    with open_sandbox(visible=interpreter_paths()) as opened:
        yield opened


@pytest.fixture
def checkout(sandbox: ConfinedSandbox) -> Path:
    return sandbox.make_folder("checkout")


@pytest.fixture
def bash(sandbox: ConfinedSandbox, checkout: Path) -> Iterator[BashTool]:
    with OutputFiles(sandbox.make_folder("outputs")) as files:
        yield BashTool(
            sandbox,
            checkout,
            files,
            environment={"PROJECT": "sample"},
            network=Network.NONE,
            remaining_seconds=lambda: 60.0,
            redact=redact,
        )


def test_bash_works_confined_and_its_long_output_can_be_read_again(bash: BashTool, checkout: Path) -> None:
    assert bash.run({"command": "pwd; echo $PROJECT"}).text == f"{checkout}\nsample\n[exit code 0]"
    shown = bash.run({"command": "seq 1 20000"}).text
    kept = re.search(r"the whole output is in (\S+)", shown)
    assert kept is not None
    assert bash.run({"command": f"wc -l < {kept[1]}"}).text == "20000\n[exit code 0]"


def test_a_process_that_leaves_its_group_is_gone_too(bash: BashTool, checkout: Path) -> None:
    bash.run({"command": "setsid sh -c 'sleep 1; touch late' & true"})
    assert bash.run({"command": "sleep 1.5; ls"}).text == "[exit code 0; no output]"
    assert list(checkout.iterdir()) == []


def test_edit_works_confined_and_what_it_makes_belongs_to_the_agent(
    sandbox: ConfinedSandbox, checkout: Path, bash: BashTool
) -> None:
    edit = EditTool(sandbox, checkout, python=sys.executable)
    assert edit.run({"path": "src/a.py", "old": "", "new": "A = 1\n"}).text == "src/a.py: created with 1 lines."
    assert bash.run({"command": "echo 'B = 2' >> src/a.py"}).text == "[exit code 0; no output]"
    assert edit.run({"path": "src/a.py", "old": "A = 1", "new": "A = 3"}).is_error is False
    assert (checkout / "src/a.py").read_text() == "A = 3\nB = 2\n"


def test_edit_reaches_no_file_that_only_the_coordinator_may_change(
    sandbox: ConfinedSandbox, checkout: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "ours"
    ours.write_text("text")
    (checkout / "link").symlink_to(ours)
    edit = EditTool(sandbox, checkout, python=sys.executable)
    assert edit.run({"path": "link", "old": "text", "new": "changed"}).is_error
    assert edit.run({"path": str(ours), "old": "text", "new": "changed"}).is_error
    assert ours.read_text() == "text"
