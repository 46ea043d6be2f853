"""The record of one run, and where it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.agent.compaction import CompactionResult, ResetKind
from coordinator.agent.protocol import TurnReport, Usage
from coordinator.configuration import RunBudget
from coordinator.errors import Unreachable
from coordinator.flows.comment import SECONDS_BETWEEN_EDITS, IssueComment
from coordinator.flows.journal import GATES, PLANNED, STEPS
from coordinator.report.models import Outcome, StepState
from tests.events.memory_forge import BOT, OUTSIDER
from tests.flows.support import Lines, WritingForge, journal
from tests.support import API_CANARY

if TYPE_CHECKING:
    from coordinator.report.redaction import CleanReport

TIRED = Unreachable("The forge is tired", mend="Run again")


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def record(**fields: object) -> CleanReport:
    """A record as a journal has it."""
    kept = journal(Lines())
    kept.record(**fields)
    return kept.clean


def test_a_step_changes_its_own_line_and_keeps_its_detail() -> None:
    lines = Lines()
    kept = journal(lines)
    assert [step.name for step in kept.report.steps] == list(STEPS)
    kept.step(PLANNED, StepState.CURRENT, "difficulty easy")
    kept.step(PLANNED, StepState.DONE, agent="haiku")
    states = {step.name: (step.state, step.detail) for step in kept.report.steps}
    assert states[PLANNED] == (StepState.DONE, "difficulty easy")
    assert states[GATES] == (StepState.OPEN, "")
    assert lines.shown[-1].agent == "haiku"


def test_notes_go_to_the_timeline_and_warnings_to_every_report() -> None:
    lines = Lines()
    kept = journal(lines)
    kept.say("only said")
    kept.note("pushed", 1.5)
    kept.warn("careful")
    assert lines.said == ["only said", "pushed", "warning: careful"]
    assert [(entry.text, entry.seconds) for entry in kept.report.timeline] == [("pushed", 1.5)]
    assert kept.report.notes == ("careful",)


def test_what_is_shown_holds_no_secret() -> None:
    lines = Lines()
    journal(lines).step(PLANNED, StepState.DONE, f"with {API_CANARY}", summary=API_CANARY)
    assert API_CANARY not in lines.shown[-1].model_dump_json()


def test_turns_add_to_what_was_used_before_and_keep_the_peak() -> None:
    lines = Lines()
    kept = journal(lines)
    before = (Usage(input_tokens=100), 0.5)
    for number, share in ((1, 0.6), (2, 0.2)):
        usage = Usage(output_tokens=number)
        turn = TurnReport(number, "bash: ls", 1000, context_share=share, cost_usd=0.1 * number, usage=usage)
        kept.turn(turn, RunBudget(), before)
    assert kept.report.usage == Usage(input_tokens=100, output_tokens=2)
    assert kept.report.cost_usd == 0.7
    assert kept.report.peak_context_share == 0.6
    activity = kept.report.activity
    assert activity is not None
    assert (activity.attempt, activity.turn, activity.cost_usd) == (1, 2, 0.7)


def test_a_reset_is_one_line_of_the_log_and_of_the_timeline_and_stays_in_the_record() -> None:
    lines = Lines()
    kept = journal(lines)
    result = CompactionResult(ResetKind.COMPACTED, 100_000, 25_000, seconds=9.5, cost_usd=0.02, note="Done: a.py.")
    kept.reset(result)
    kept.reset(result)
    line = "context compacted: 100,000 → 25,000 tokens (75 % less), $0.02"
    assert lines.said == [line, line]
    assert [(entry.text, entry.seconds) for entry in kept.report.timeline] == [(line, 9.5)] * 2
    assert [(reset.kind, reset.reduction) for reset in kept.report.compactions] == [("compacted", 0.75)] * 2
    usage = Usage(output_tokens=1)
    kept.turn(TurnReport(3, "ls", 10, 0.1, cost_usd=0, usage=usage, resets=2), RunBudget(), (Usage(), 0.0))
    assert kept.report.activity is not None
    assert kept.report.activity.resets == 2


def test_a_comment_that_fails_is_said_once_and_tried_again_at_the_end() -> None:
    forge, lines = WritingForge(), Lines()
    kept = journal(lines, IssueComment(forge, 7, Clock()))
    kept.show()
    forge.refusal = TIRED
    kept.step(PLANNED, StepState.DONE)
    kept.step(GATES, StepState.DONE)
    assert lines.said == ["warning: the comment is not kept up any more: The forge is tired. Run again."]
    forge.refusal = None
    kept.step(GATES, StepState.FAILED)
    assert forge.edits == 0, "not at every step: each try of a forge that is down costs its whole deadline"
    kept.record(outcome=Outcome.REJECTED, reason="lint failed")
    kept.show(last=True)
    assert "Not done" in forge.comment_list[0].body
    assert len(lines.said) == 1


def test_a_comment_that_fails_to_the_end_is_said_once() -> None:
    forge, lines = WritingForge(refusal=TIRED), Lines()
    kept = journal(lines, IssueComment(forge, 7, Clock()))
    kept.show()
    kept.show(last=True)
    assert len(lines.said) == 1
    assert len(kept.report.notes) == 1


def test_what_is_not_urgent_waits() -> None:
    forge, clock = WritingForge(), Clock()
    comment = IssueComment(forge, 7, clock)
    assert comment.publish(record(reason="one"), urgent=False) is None
    assert len(forge.comment_list) == 1, "the first state is shown at once"
    clock.now += SECONDS_BETWEEN_EDITS - 1
    comment.publish(record(agent="haiku"), urgent=False)
    assert forge.edits == 0
    comment.publish(record(agent="sonnet"), urgent=True)
    assert forge.edits == 1
    clock.now += SECONDS_BETWEEN_EDITS
    comment.publish(record(agent="opus"), urgent=False)
    assert forge.edits == 2
    comment.publish(record(agent="opus"), urgent=True)
    assert forge.edits == 2, "the same text is not sent again"


def test_a_comment_that_was_not_taken_is_sent_again() -> None:
    forge = WritingForge()
    comment = IssueComment(forge, 7, Clock())
    comment.publish(record(), urgent=True)
    forge.refusal = TIRED
    assert comment.publish(record(agent="opus"), urgent=True) == "The forge is tired. Run again."
    forge.refusal = None
    assert comment.publish(record(agent="opus"), urgent=True) is None
    assert "opus" in forge.comment_list[0].body


def test_our_comment_of_an_earlier_run_is_edited_and_nobody_elses() -> None:
    forge = WritingForge()
    IssueComment(forge, 7, Clock()).publish(record(), urgent=True)
    forge.put_comment(OUTSIDER, forge.comment_list[0].body)
    IssueComment(forge, 7, Clock()).publish(record(agent="opus"), urgent=True)
    assert [comment.author for comment in forge.comment_list] == [BOT, OUTSIDER]
    assert "opus" in forge.comment_list[0].body
    assert "opus" not in forge.comment_list[1].body
