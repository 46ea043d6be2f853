from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.agent.context import ContextAction, ContextMonitor
from coordinator.agent.conversation import Conversation
from coordinator.agent.protocol import Usage
from coordinator.agent.reply import Reply
from coordinator.configuration import ContextSection
from tests.agent.support import endpoint

CONTINUE, COMPACT, ROTATE = ContextAction.CONTINUE, ContextAction.COMPACT, ContextAction.ROTATE


@pytest.mark.parametrize(
    ("tokens", "action"),
    [
        (0, CONTINUE),
        (134_399, CONTINUE),
        (134_400, COMPACT),
        (159_599, COMPACT),
        (159_600, ROTATE),
        (168_000, ROTATE),
        (1_000_000, ROTATE),
    ],
)
def test_the_thresholds_are_exact(tokens: int, action: ContextAction) -> None:
    monitor = ContextMonitor.of(endpoint("http://127.0.0.1:1"), ContextSection())
    assert monitor.limit_tokens == 168_000
    assert monitor.decide(tokens) is action


def test_a_share_means_what_is_written() -> None:
    monitor = ContextMonitor(100, ContextSection(compact_at=0.07, rotate_at=0.29))
    assert 0.07 * 100 > 7
    assert [monitor.decide(tokens) for tokens in (6, 7, 28, 29)] == [CONTINUE, COMPACT, COMPACT, ROTATE]


def test_where_both_thresholds_are_one_nothing_is_compacted() -> None:
    monitor = ContextMonitor(1_000, ContextSection(compact_at=0.9, rotate_at=0.9))
    assert [monitor.decide(tokens) for tokens in (899, 900)] == [CONTINUE, ROTATE]


@given(
    limit=st.integers(1, 2_000_000),
    low=st.integers(1, 100),
    high=st.integers(1, 100),
    tokens=st.integers(0, 2_500_000),
)
def test_the_action_follows_from_the_share_alone(limit: int, low: int, high: int, tokens: int) -> None:
    low, high = sorted((low, high))
    monitor = ContextMonitor(limit, ContextSection(compact_at=low / 100, rotate_at=high / 100))
    share = Fraction(tokens, limit) * 100
    assert monitor.decide(tokens) is (ROTATE if share >= high else COMPACT if share >= low else CONTINUE)
    assert math.isclose(monitor.share(tokens), tokens / limit)


def test_compaction_is_asked_for_once_and_does_not_hide_a_rotation() -> None:
    monitor = ContextMonitor(1_000, ContextSection())
    monitor.trigger_compaction()
    assert [monitor.decide(tokens) for tokens in (1, 1, 950)] == [COMPACT, COMPACT, ROTATE]
    assert not monitor.is_full(1)
    monitor.settled()
    assert monitor.decide(1) is CONTINUE


def test_an_overflow_that_the_server_tells_of_means_rotation() -> None:
    monitor = ContextMonitor(1_000, ContextSection())
    monitor.overflowed(500)
    assert monitor.must_rotate
    assert monitor.decide(1) is ROTATE
    assert monitor.limit_tokens == 1_000
    monitor.settled()
    assert monitor.decide(500) is CONTINUE


def test_a_second_overflow_shows_that_the_window_is_smaller_than_the_profile_says() -> None:
    monitor = ContextMonitor(1_000, ContextSection())
    monitor.overflowed(500)
    monitor.overflowed(600)
    monitor.settled()
    assert monitor.limit_tokens == 540
    assert [monitor.decide(tokens) for tokens in (431, 432, 512, 513)] == [CONTINUE, COMPACT, COMPACT, ROTATE]
    monitor.overflowed(700)
    assert monitor.limit_tokens == 540, "it is never raised again"
    monitor.overflowed(0)
    assert monitor.limit_tokens == 1


def reply(tokens: int) -> Reply:
    return Reply(({"type": "text", "text": "x" * 3_000},), (), "end_turn", "", Usage(input_tokens=tokens))


def test_what_was_appended_since_the_last_count_is_estimated() -> None:
    conversation = Conversation("Solve it.", overhead_tokens=1_000)
    conversation.append_reply(reply(700))
    conversation.append_user([{"type": "text", "text": "y" * 30_000}])
    assert 10_700 < conversation.tokens < 10_750


def test_the_size_of_a_history_is_that_of_all_its_parts() -> None:
    conversation = Conversation("t" * 300, overhead_tokens=1_000)
    conversation.append_reply(reply(7))
    conversation.append_user([{"type": "text", "text": "é" * 500}])
    assert 1_000 + (300 + 3_000 + 3_000) // 3 < conversation.estimate < 1_000 + 6_300 // 3 + 60
    again = Conversation(conversation.messages, overhead_tokens=1_000)
    assert again.estimate == again.tokens
    assert abs(again.estimate - conversation.estimate) < 5


def test_a_turn_does_not_go_through_the_history_again() -> None:
    conversation = Conversation("Solve it.", overhead_tokens=1_000)
    conversation.messages[0]["content"].append({"type": "text", "text": object()})  # type: ignore[dict-item]  # on purpose
    conversation.append_reply(reply(700))
    conversation.append_user([{"type": "text", "text": "y"}])
    assert conversation.tokens > 700
    assert conversation.estimate > 2_000
