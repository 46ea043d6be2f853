from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from coordinator.agent.budget import Budget
from coordinator.agent.conversation import Conversation
from coordinator.agent.protocol import Price, Usage
from coordinator.agent.reply import Reply, UnusableReply, read_reply
from coordinator.agent.transcript import Transcript
from coordinator.errors import BudgetExceeded, Unreachable
from tests.agent.support import redact
from tests.support import API_CANARY

PRICE = Price(input=2.0, output=10.0, cache_read=0.1, cache_write=2.5)
HAIKU = Price(input=0.1, output=0.5, long_prompt_over=100_000, long_prompt_factor=5.0)


def make_budget(
    price: Price = PRICE, *, dollars: float = 1.0, tokens: int = 1_000_000, turns: int = 10, seconds: float = 60.0
) -> Budget:
    return Budget(dollars=dollars, tokens=tokens, turns=turns, deadline=time.monotonic() + seconds, price=price)


def test_every_call_is_priced_by_itself() -> None:
    budget = make_budget(HAIKU)
    budget.charge(Usage(input_tokens=100_000, output_tokens=1_000))
    assert budget.cost_usd == pytest.approx(0.01 + 0.0005)
    budget.charge(Usage(input_tokens=100_001, output_tokens=1_000))
    assert budget.cost_usd == pytest.approx(0.0105 + 5 * (0.0100001 + 0.0005))
    assert budget.usage == Usage(input_tokens=200_001, output_tokens=2_000)


def test_cache_reads_and_writes_have_their_price() -> None:
    budget = make_budget()
    budget.charge(Usage(input_tokens=1_000, output_tokens=2_000, cache_read_tokens=30_000, cache_write_tokens=4_000))
    assert budget.cost_usd == pytest.approx((2_000 + 20_000 + 3_000 + 10_000) / 1_000_000)


def test_a_free_model_costs_nothing_also_without_money() -> None:
    budget = make_budget(Price(), dollars=0.0)
    budget.charge(Usage(input_tokens=1_000_0, output_tokens=10))
    budget.check(10_000)
    assert budget.cost_usd == 0


def test_money_is_checked_before_the_call_that_would_exceed_it() -> None:
    budget = make_budget(dollars=0.05)
    budget.charge(Usage(input_tokens=10_000, output_tokens=1_000))  # 0.03 dollars
    budget.check(4_000)  # 0.008 and 0.01 for a reply as long as the last
    with pytest.raises(BudgetExceeded, match=r"0\.05 dollars: 0\.03 are spent .* about 0\.02") as caught:
        budget.check(6_000)
    assert "budget.run.dollars" in caught.value.mend


def test_the_part_that_is_cached_is_expected_to_be_cheap() -> None:
    budget = make_budget(dollars=0.05)
    budget.charge(Usage(cache_write_tokens=10_000, output_tokens=100))  # 0.026
    budget.check(16_000)  # 0.001 + 0.015 + 0.001
    with pytest.raises(BudgetExceeded):
        budget.check(20_000)


def test_tokens_turns_and_time_are_limits_too() -> None:
    budget = make_budget(tokens=10_000)
    budget.charge(Usage(input_tokens=4_000, output_tokens=500))
    budget.check(5_000)
    with pytest.raises(BudgetExceeded, match="10000 tokens: 4500 are used and the next call needs about 5501"):
        budget.check(5_001)
    budget.turns = 10
    with pytest.raises(BudgetExceeded, match="10 turns"):
        budget.check(1)
    late = make_budget(seconds=-1)
    assert late.remaining_seconds == 0
    with pytest.raises(BudgetExceeded, match="wall time") as caught:
        late.check(1)
    assert "budget.run.minutes" in caught.value.mend


def test_a_conversation_counts_what_the_server_has_not_seen() -> None:
    conversation = Conversation("x" * 300, overhead_tokens=1_000)
    assert 1_100 < conversation.tokens < 1_120
    reply = Reply((), (), "end_turn", "", Usage(input_tokens=10, cache_read_tokens=500, output_tokens=90))
    conversation.append_reply(reply)
    assert conversation.tokens == 600
    conversation.append_user([{"type": "text", "text": "y" * 90_000}])
    assert conversation.tokens > 30_600


MESSAGE = {"content": [], "stop_reason": "end_turn", "usage": {}}


@pytest.mark.parametrize(
    "change",
    [
        {"content": None},
        {"stop_reason": None},
        {"usage": None},
        {"content": [{"type": "tool_use", "name": "bash", "input": {}}]},
        {"content": [{"type": "tool_use", "id": "", "name": "bash", "input": {}}]},
        {"content": ["text"]},
    ],
)
def test_a_reply_that_is_no_message_is_unusable(change: dict[str, object]) -> None:
    with pytest.raises(UnusableReply):
        read_reply({**MESSAGE, **change})


def test_unknown_blocks_and_fields_are_kept_as_they_are() -> None:
    block = {"type": "text", "text": "x", "new": {"field": 1}}
    strange = {"type": "surprise", "data": [1, None]}
    reply = read_reply({**MESSAGE, "content": [block, strange, {"type": "text", "text": " "}], "more": 1})
    assert reply.message == {"role": "assistant", "content": [block, strange]}
    assert reply.text == "x"


def test_events_are_lines_on_disk_before_the_next_thing_happens(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with Transcript(path, redact) as transcript:
        transcript.write("start", profile="sonnet")
        assert json.loads(path.read_text())["profile"] == "sonnet"
        transcript.write("message", role="user", content=[{"type": "text", "text": "é\ud800"}])
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert first["event"] == "start"
    assert first["time"] <= second["time"]
    assert second["content"] == [{"type": "text", "text": "é\ud800"}]
    assert path.stat().st_mode & 0o777 == 0o600


def test_secrets_are_masked_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with Transcript(path, lambda text: redact(text).replace('quote"d\n', "***")) as transcript:
        transcript.write("x", plain=f"a {API_CANARY} b", nested={f"k{API_CANARY}": [(API_CANARY,), 1, None, True]})
        transcript.write("x", text='quote"d\n')
    text = path.read_text()
    assert API_CANARY not in text
    assert "quote" not in text
    assert json.loads(text.splitlines()[0])["nested"] == {"k***": [["***"], 1, None, True]}


def test_a_torn_last_line_is_closed_before_more_is_written(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"event": "start"}\n{"event": "mess')
    with Transcript(path, redact) as transcript:
        transcript.write("end")
    whole, torn, last = path.read_text().splitlines()
    assert json.loads(whole)["event"] == "start"
    assert torn == '{"event": "mess'
    assert json.loads(last)["event"] == "end"


def test_a_transcript_that_cannot_be_opened_or_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"missing/run\.jsonl cannot be written: No such file"):
        Transcript(tmp_path / "missing" / "run.jsonl", redact)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(Unreachable):
        Transcript(tmp_path / "link", redact)
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full to stand for a full disk")
    with Transcript(tmp_path / "run.jsonl", redact) as transcript:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, transcript._file.fileno())
        os.close(full)
        with pytest.raises(Unreachable, match="No space left"):
            transcript.write("message")
