"""Who gets in is decided by these controls; without any one of them a test fails, and this is tried out.

Each is removed from a copy of the source, and one test is run with that copy: it has to fail, by an assertion.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHILD_SECONDS = 120.0
CHILD = """
import sys, coordinator, pytest
if not coordinator.__file__.startswith(sys.argv[1]):
    sys.exit(f"not the copy: {coordinator.__file__}")
sys.exit(pytest.main(sys.argv[2:]))
"""


@dataclass(frozen=True)
class Control:
    """A control, by what has to change in the source for it to be gone, and the test that notices."""

    module: str
    text: str
    """Stands in the module exactly once."""
    without: str
    test: str

    @property
    def node(self) -> str:
        """The test as pytest names it."""
        return f"tests/run/{self.test}"

    def remove_from(self, folder: Path) -> None:
        """Remove the control from a copy of the source."""
        path = folder / "coordinator" / self.module
        source = path.read_text(encoding="utf-8")
        assert source.count(self.text) == 1, f"{self.module} has {source.count(self.text)} times: {self.text}"
        path.write_text(source.replace(self.text, self.without), encoding="utf-8")


GATE = "test_verification.py::test_the_gate"
SENDER = "test_verification_sender.py"
NAMES = "test_verification_names.py"
EVENT = "test_verification_event.py"
UNATTENDED = "test_verification_unattended.py"

CONTROLS: dict[str, Control] = {
    "the sender may write": Control(
        "events/verify.py", "if not right.allowed:", "if False:", f"{GATE}[G10 somebody who only reads]"
    ),
    "who cannot be asked about may not": Control(
        "events/permission.py",
        "return Right(allowed=False, reason=reason, mend=error.mend, known=False)",
        "return Right(allowed=True, reason=reason, mend=error.mend, known=False)",
        f"{SENDER}::test_g3_no_answer_is_a_no[permission-500]",
    ),
    "a login counts for the id that the forge names": Control(
        "forge/gitea_access.py",
        "if answer.user.id != account.id:",
        "if False:",
        f"{NAMES}::test_accounts[the same with an admin's token]",
    ),
    "a listed login counts for the id that has it": Control(
        "events/permission.py",
        "return holder is not None and holder.id == account.id",
        "return holder is not None",
        f"{GATE}[G4 the very login, and another id]",
    ),
    "a team without the right to write casts doubt": Control(
        "forge/gitea_access.py",
        "if doubtful:",
        "if False:",
        f"{SENDER}::test_teams[a member of a team that reads code and pull requests]",
    ),
    "the event is of this repository": Control(
        "events/verify.py",
        "if len(names) > 1 or len(ids) > 1:",
        "if len(names) > 1:",
        f"{EVENT}::test_other_repositories[its id is another]",
    ),
    "the event is not old": Control(
        "events/freshness.py",
        "if moment and now - moment > STALE_AFTER:",
        "if False:",
        f"{EVENT}::test_replays[an assignment, days later]",
    ),
    "the request is not older than the event": Control(
        "events/verify.py",
        "if precedes(request, self.event):",
        "if False:",
        f"{EVENT}::test_meanwhile[what was asked for long ago is clicked on]",
    ),
    "the issue is still ours": Control(
        "events/standing.py",
        "return tuple(entry for entry in standing if in_place[entry.change])",
        "return tuple(standing)",
        f"{EVENT}::test_reruns[the assignment is gone, and the history does not tell]",
    ),
    "the issue is open": Control(
        "events/verify.py", 'if issue.state == "closed":', "if False:", f"{EVENT}::test_reruns[the issue was closed]"
    ),
    "the text is that of the event": Control(
        "events/freshness.py",
        "if seen and (seen.title, seen.body) != (clean(live.title), clean(live.body)):",
        "if False:",
        f"{EVENT}::test_meanwhile[the title was edited]",
    ),
    "the text is the one that a person has seen": Control(
        "events/requests.py",
        "return digest(issue) == seen or",
        "return bool(seen) or",
        f"{UNATTENDED}::test_runs_that_no_person_starts[a stranger's text, not as a person has seen it]",
    ),
    "a run that no person starts has somebody allowed behind it": Control(
        "events/requests.py",
        "if right.allowed:",
        "if True:",
        f"{UNATTENDED}::test_runs_that_no_person_starts[what a stranger alone asks for]",
    ),
    "our own doings start nothing": Control(
        "events/verify.py",
        "if sender.id in {self.forge.myself().id, ACTIONS_USER.get(self.forge.kind)}:",
        "if False:",
        f"{GATE}[G5 our own label]",
    ),
    "a re-run looks at the command": Control(
        "events/verify.py",
        "check_comment(self.event, self.forge.comments(issue.number))",
        "pass",
        f"{EVENT}::test_reruns[a command that was deleted]",
    ),
    "a re-run of a dispatch looks at the text": Control(
        "events/verify.py",
        "check_dispatched_again(issue, self.permissions, seen=self.seen_text(issue.number))",
        "pass",
        f"{EVENT}::test_reruns[a dispatch of a stranger's issue, and the text was edited]",
    ),
}


def copy_to(folder: Path) -> Path:
    """Copy what the tests need; return the folder."""
    for name in ("coordinator", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run_tests(folder: Path, *nodes: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a process that has the source of this folder."""
    options = ("-q", "-rf", "--tb=short", "-p", "no:cacheprovider", f"--basetemp={folder / 'kept'}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    environment |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "1000"}
    command = [sys.executable, "-c", CHILD, str(folder), *options, *nodes]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=CHILD_SECONDS
    )


def test_with_all_controls_they_pass(tmp_path: Path) -> None:
    nodes = [control.node for control in CONTROLS.values()]
    ended = run_tests(copy_to(tmp_path), *nodes)
    assert (ended.returncode, f"{len(nodes)} passed" in ended.stdout) == (0, True), ended.stdout + ended.stderr


@pytest.mark.parametrize("name", CONTROLS)
def test_without_the_control_its_test_fails(tmp_path: Path, name: str) -> None:
    control = CONTROLS[name]
    control.remove_from(copy_to(tmp_path))
    ended = run_tests(tmp_path, control.node)
    said = ended.stdout + ended.stderr
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, said
    assert re.search(rf"(?m)^FAILED {re.escape(control.node)} - (AssertionError|assert )", said), said
