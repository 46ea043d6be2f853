"""Twelve deliberate faults, as agents are known to have them: each one makes a test fail, and this is tried out."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.mutation import Change, check_all_pass, check_is_noticed

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDE_BY_SIDE = 2
HERE = "tests/agent"
BREAKS = f"{HERE}/scenarios/test_failing_api.py::test_of_a_reply_that_breaks_off_nothing_runs_and_nothing_is_kept"
NEW = f"{HERE}/scenarios/test_new_conversations.py"

FAULTS: dict[str, Change] = {
    "the last steps are kept as they are when the history is replaced": Change(
        "agent/compaction.py",
        "new = Conversation(text, overhead_tokens=overhead)",
        'first = {"role": "user", "content": [{"type": "text", "text": text}]}\n'
        "        new = Conversation([first, *old.messages[-2:]], overhead_tokens=overhead)",
        f"{NEW}::test_no_thought_of_the_old_conversation_is_sent_in_the_new_one[compacted]",
    ),
    "a stream that just ends is taken for a whole reply": Change(
        "agent/streaming.py", "if not arrival.ended:", "if False:", f"{BREAKS}[eof_before_stop]"
    ),
    "a result is sent whose call is not in the history": Change(
        "agent/reply.py",
        'content.append({**block, "input": calls[-1].arguments})',
        "pass",
        f"{HERE}/test_loop.py::test_the_agent_works_submits_and_is_accepted",
    ),
    "a call that was cut off is run": Change(
        "agent/reply.py",
        "    if cut:\n        fault = ",
        "    if False:\n        fault = ",
        f"{HERE}/test_loop.py::test_the_call_that_was_cut_off_does_not_run",
    ),
    "what a kill left open is not answered": Change(
        "agent/replay.py",
        'complete = answered(messages, self.judged.text if self.judged else "")',
        "complete = messages",
        f"{NEW}::test_calls_that_a_kill_left_open_are_answered_and_not_run_again[whole]",
    ),
    "the end of the output is waited for in place of the end of the command": Change(
        "sandbox/launcher/supervisor.py",
        'in_time = self.watch(lambda: self._status is not None, order["seconds"])',
        'in_time = self.watch(lambda: self._status is not None and not self._streams, order["seconds"])',
        f"{HERE}/scenarios/test_work_in_the_checkout.py"
        "::test_no_command_holds_up_the_work_and_none_of_its_processes_is_left",
    ),
    "the budget is checked after the call": Change(
        "agent/loop.py",
        "            self._budget.check(conversation.tokens)\n            return self._client.send(",
        "            return (lambda asked: (self._client.send(asked), self._budget.check(conversation.tokens))[0])(",
        f"{HERE}/scenarios/test_limits.py::test_the_call_that_would_exceed_a_limit_is_not_made[dollars]",
    ),
    "the thoughts of one model are sent to another": Change(
        "agent/opening.py",
        "if (replay.profile, replay.model) != (endpoint.profile, endpoint.model):",
        "if False:",
        f"{NEW}::test_another_model_is_told_of_the_conversation_in_words[opus-claude-opus-5-5-True]",
    ),
    "a wait beyond the time limit is waited out": Change(
        "agent/model.py",
        "if wait >= self._remaining():",
        "if False:",
        f"{HERE}/scenarios/test_failing_api.py::test_a_wait_beyond_the_time_limit_is_not_begun_and_the_work_can_go_on",
    ),
    "the history is dropped before there is a note": Change(
        "agent/history.py",
        "        self._check_count()\n",
        "        self._check_count()\n        del self.conversation.messages[1:]\n",
        f"{NEW}::test_until_the_note_is_there_nothing_of_the_old_conversation_is_given_up[fails]",
    ),
    "secrets are written into the transcript": Change(
        "agent/transcript.py",
        "clean = self._redact(value)",
        "clean = value",
        f"{HERE}/test_records.py::test_secrets_are_masked_wherever_they_stand",
    ),
    "what was appended since the last reply is not counted": Change(
        "agent/conversation.py",
        "return self._counted + self._uncounted",
        "return self._counted",
        f"{NEW}::test_what_one_reply_adds_is_counted_before_the_server_has_to_refuse_it",
    ),
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    """Try the faults out, a few side by side; what came of each is looked at by its test."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        nodes = [fault.node for fault in FAULTS.values()]
        unchanged = pool.submit(check_all_pass, tmp_path_factory.mktemp("unchanged"), *nodes)
        faults = {
            name: pool.submit(check_is_noticed, tmp_path_factory.mktemp("fault"), fault)
            for name, fault in FAULTS.items()
        }
        yield {"": unchanged, **faults}


def test_without_a_fault_they_pass(tried: dict[str, Future[None]]) -> None:
    tried[""].result()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_makes_its_test_fail(tried: dict[str, Future[None]], name: str) -> None:
    tried[name].result()
