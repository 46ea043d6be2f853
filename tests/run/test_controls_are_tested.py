"""Who gets in is decided by these controls; without any one of them a test fails, and this is tried out.

Each is removed from a copy of the source, and one test is run with that copy: it has to fail, by an assertion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mutation import Change, check_all_pass, check_is_noticed

if TYPE_CHECKING:
    from pathlib import Path


def control(module: str, text: str, without: str, test: str) -> Change:
    """Name a control by what has to change in the source for it to be gone, and the test that notices."""
    return Change(module, text, without, f"tests/run/{test}")


GATE = "test_verification.py::test_the_gate"
SENDER = "test_verification_sender.py"
NAMES = "test_verification_names.py"
EVENT = "test_verification_event.py"
UNATTENDED = "test_verification_unattended.py"

CONTROLS: dict[str, Change] = {
    "the sender may write": control(
        "events/verify.py", "if not right.allowed:", "if False:", f"{GATE}[G10 somebody who only reads]"
    ),
    "who cannot be asked about may not": control(
        "events/permission.py",
        "return Right(allowed=False, reason=reason, mend=error.mend, known=False)",
        "return Right(allowed=True, reason=reason, mend=error.mend, known=False)",
        f"{SENDER}::test_g3_no_answer_is_a_no[permission-500]",
    ),
    "a login counts for the id that the forge names": control(
        "forge/gitea_access.py",
        "if answer.user.id != account.id:",
        "if False:",
        f"{NAMES}::test_accounts[the same with an admin's token]",
    ),
    "a listed login counts for the id that has it": control(
        "events/permission.py",
        "return holder is not None and holder.id == account.id",
        "return holder is not None",
        f"{GATE}[G4 the very login, and another id]",
    ),
    "a team without the right to write casts doubt": control(
        "forge/gitea_access.py",
        "if doubtful:",
        "if False:",
        f"{SENDER}::test_teams[a member of a team that reads code and pull requests]",
    ),
    "the event is of this repository": control(
        "events/verify.py",
        "if len(names) > 1 or len(ids) > 1:",
        "if len(names) > 1:",
        f"{EVENT}::test_other_repositories[its id is another]",
    ),
    "the event is not old": control(
        "events/freshness.py",
        "if moment and now - moment > STALE_AFTER:",
        "if False:",
        f"{EVENT}::test_replays[an assignment, days later]",
    ),
    "the request is not older than the event": control(
        "events/verify.py",
        "if precedes(request, self.event):",
        "if False:",
        f"{EVENT}::test_meanwhile[what was asked for long ago is clicked on]",
    ),
    "the issue is still ours": control(
        "events/standing.py",
        "return tuple(entry for entry in standing if in_place[entry.change])",
        "return tuple(standing)",
        f"{EVENT}::test_reruns[the assignment is gone, and the history does not tell]",
    ),
    "the issue is open": control(
        "events/verify.py", 'if issue.state == "closed":', "if False:", f"{EVENT}::test_reruns[the issue was closed]"
    ),
    "the text is that of the event": control(
        "events/freshness.py",
        "if seen and (seen.title, seen.body) != (clean(live.title), clean(live.body)):",
        "if False:",
        f"{EVENT}::test_meanwhile[the title was edited]",
    ),
    "the text is the one that a person has seen": control(
        "events/requests.py",
        "return digest(issue) == seen or",
        "return bool(seen) or",
        f"{UNATTENDED}::test_runs_that_no_person_starts[a stranger's text, not as a person has seen it]",
    ),
    "a run that no person starts has somebody allowed behind it": control(
        "events/requests.py",
        "if right.allowed:",
        "if True:",
        f"{UNATTENDED}::test_runs_that_no_person_starts[what a stranger alone asks for]",
    ),
    "our own doings start nothing": control(
        "events/verify.py",
        "if sender.id in {self.forge.myself().id, ACTIONS_USER.get(self.forge.kind)}:",
        "if False:",
        f"{GATE}[G5 our own label]",
    ),
    "a re-run looks at the command": control(
        "events/verify.py",
        "check_comment(self.event, self.forge.comments(issue.number))",
        "pass",
        f"{EVENT}::test_reruns[a command that was deleted]",
    ),
    "a re-run of a dispatch looks at the text": control(
        "events/verify.py",
        "check_dispatched_again(issue, self.permissions, seen=self.seen_text(issue.number))",
        "pass",
        f"{EVENT}::test_reruns[a dispatch of a stranger's issue, and the text was edited]",
    ),
}


def test_with_all_controls_they_pass(tmp_path: Path) -> None:
    check_all_pass(tmp_path, *[change.node for change in CONTROLS.values()])


@pytest.mark.parametrize("name", CONTROLS)
def test_without_the_control_its_test_fails(tmp_path: Path, name: str) -> None:
    check_is_noticed(tmp_path, CONTROLS[name])
