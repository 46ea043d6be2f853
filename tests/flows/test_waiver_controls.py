"""What makes a waiver a person's word: without any one of these controls a test fails, and this is tried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mutation import Change, check_all_pass, check_is_noticed

if TYPE_CHECKING:
    from pathlib import Path

DESK = "tests/flows/test_waivers.py"
RUN = "tests/run/test_needs_person.py"
AGENT_IS_ASKED = f"{RUN}::test_an_agent_is_asked_where_the_work_may_not_be_what_is_wanted"

CONTROLS: dict[str, Change] = {
    "who waives may write": Change(
        "flows/waivers.py",
        'return "" if right.allowed else right.reason',
        'return ""',
        f"{DESK}::test_who_may_not_write_waives_nothing_and_it_is_said[account0]",
    ),
    "the coordinator's account never waives": Change(
        "flows/waivers.py",
        "if account.id in {self.forge.myself().id, ACTIONS_USER.get(self.forge.kind)}:",
        "if False:",
        f"{DESK}::test_the_coordinator_itself_never_waives[account0]",
    ),
    "the job's token never waives": Change(
        "flows/waivers.py",
        "if account.id in {self.forge.myself().id, ACTIONS_USER.get(self.forge.kind)}:",
        "if account.id == self.forge.myself().id:",
        f"{DESK}::test_the_coordinator_itself_never_waives[account1]",
    ),
    "lines to be copied are no waiver": Change(
        "flows/waivers.py",
        "() if comment.body.lstrip().startswith(MARKER) else waiver_lines(comment.body)",
        "waiver_lines(comment.body)",
        f"{DESK}::test_what_the_coordinator_wrote_to_be_copied_is_no_waiver[local]",
    ),
    "a label counts by who put it on": Change(
        "flows/waivers.py",
        "if holder is not None and self._may_waive(holder):",
        "if holder is not None:",
        f"{DESK}::test_a_label_counts_by_who_put_it_on_last[last-by-stranger]",
    ),
    "a label that was taken away and is there again without a history is nobody's": Change(
        "flows/waivers.py",
        "return last.by if last is not None and last.change is Change.LABELED else None",
        "return last.by if last is not None else None",
        f"{DESK}::test_a_label_counts_by_who_put_it_on_last[taken-away]",
    ),
    "what is proven cannot be waived": Change(
        "gates/integrity/findings.py",
        "if finding.severity is not Severity.ATTENTION or self.kind",
        "if self.kind",
        "tests/gates/integrity/test_gate.py::test_only_policy_findings_can_be_waived[failed]",
    ),
    "work for another text is not taken": Change(
        "flows/waived_work.py",
        "or restored.checkpoint.about.text != digest(issue)",
        "or not digest(issue)",
        f"{AGENT_IS_ASKED}[the issue was rewritten]",
    ),
    "work that somebody has pushed to is not taken": Change(
        "flows/waived_work.py",
        "if restored.checkpoint is None or restored.moved or",
        "if restored.checkpoint is None or",
        f"{AGENT_IS_ASKED}[somebody pushed]",
    ),
    "work that was broken off is not taken": Change(
        "flows/waived_work.py",
        "if replay is None or replay.ending is not Ending.REJECTED:",
        "if replay is None:",
        f"{RUN}::test_work_that_was_broken_off_is_not_taken_for_done_by_a_waiver",
    ),
}


def test_with_all_controls_they_pass(tmp_path: Path) -> None:
    check_all_pass(tmp_path, *[change.node for change in CONTROLS.values()])


@pytest.mark.parametrize("name", CONTROLS)
def test_without_the_control_its_test_fails(tmp_path: Path, name: str) -> None:
    check_is_noticed(tmp_path, CONTROLS[name])
