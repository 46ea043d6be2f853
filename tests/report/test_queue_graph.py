"""The queue as a graph that the forges draw."""

from __future__ import annotations

import html
import re

from hypothesis import example, given
from hypothesis import strategies as st

from coordinator.planning.queue import Queue, QueueEntry, QueueState
from coordinator.report.inert import one_line
from coordinator.report.queue_graph import MOST_CHARACTERS, MOST_EDGES, inert_label, queue_graph

NODE = re.compile(r'    [a-z]+\d*\["(?P<label>(?:[^\W_]|[ ,.-]|#\d+;)+)"\]:::(?P<state>[a-z]+)')
ARROW = re.compile(r"    (?P<before>[a-z]\d+) --> (?P<after>i\d+)")
CLASS = re.compile(r"    classDef (?P<state>[a-z]+) [a-z0-9:,#-]+")


def entry(number: int, title: str = "Do it", **fields: object) -> QueueEntry:
    given_fields = {"number": number, "title": title, "state": QueueState.READY, "reason": "", **fields}
    return QueueEntry.model_validate(given_fields)


def graph(*entries: QueueEntry) -> list[str]:
    return queue_graph(Queue(entries=entries), empty="The queue is empty").splitlines()


def shown(label: str) -> str:
    """Decode a label as Mermaid does it: ``#35;`` is the entity ``&#35;``."""
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", label))


def test_issues_states_and_arrows() -> None:
    lines = graph(
        entry(1, "Add: the [model]"),
        entry(2, "Show it", state="waiting", blocked_by=(1, 90)),
        entry(3, "Print it", state="blocked", blocked_by=(1, 99), missing=(99,), foreign=("org/lib#5",)),
        entry(4, state="working", blocked_by=(90,)),
    )
    assert lines[0] == "flowchart TD"
    assert [line.split()[1] for line in lines[1:7]] == ["ready", "waiting", "blocked", "working", "answered", "outside"]
    assert lines[7:] == [
        '    i1["#35;1 Add#58; the #91;model#93;"]:::ready',
        '    i2["#35;2 Show it"]:::waiting',
        '    i3["#35;3 Print it"]:::blocked',
        '    i4["#35;4 Do it"]:::working',
        '    o90["#35;90 open"]:::outside',
        '    o99["#35;99 does not exist"]:::outside',
        '    f2["org#47;lib#35;5"]:::outside',
        "    i1 --> i2",
        "    o90 --> i2",
        "    i1 --> i3",
        "    o99 --> i3",
        "    f2 --> i3",
        "    o90 --> i4",
    ]


NAMED_BY_HTML = st.characters(exclude_categories=("Cs", "Cn"))
"""Entities of non-characters such as U+FFFE decode to nothing (html.spec.whatwg.org, "named character references")."""


def test_an_empty_queue_says_how_to_fill_it() -> None:
    lines = queue_graph(Queue(), empty='Give it the label "agent"').splitlines()
    assert lines[0] == "flowchart TD"
    assert lines[-1] == '    empty["Give it the label #34;agent#34;"]:::outside'


@given(st.text(NAMED_BY_HTML, min_size=1, max_size=80))
@example('x"] --> y["')
@example('"]:::ready\nclick i1 "javascript:alert(1)"')
@example("%%{init: {'securityLevel': 'loose'}}%%")
@example("`**bold**` $$x^2$$ <img src=x onerror=alert(1)> &lt; #lt; fa:fa-car")
@example("style x fill:#f00; classDef y fill:#f00;")
@example("\ufb02°°60¶ßimg src=x\ufb02°°62¶ß")
@example("```\n@owner fixes #3")
def test_a_title_is_only_a_label(title: str) -> None:
    text = queue_graph(Queue(entries=(entry(1, title), entry(2, blocked_by=(1,)))), empty="")
    lines = text.split("\n")
    assert len(lines) == 10
    found = NODE.fullmatch(lines[7])
    assert found is not None
    assert shown(found["label"]) == f"#1 {one_line(title, 60)}".replace("\ufb02", "fl").strip()
    assert "\ufb02" not in text
    assert lines[9] == "    i1 --> i2"
    for pattern in (r"style.*:\S*#.*;", r"%%\{"):  # what Mermaid looks for anywhere in the text
        assert not re.search(pattern, "\n".join(lines[7:]))


def test_every_line_is_of_a_known_form() -> None:
    lines = graph(*(entry(number, blocked_by=(number - 1,)) for number in range(1, 30)))
    for line in lines[1:]:
        assert CLASS.fullmatch(line) or NODE.fullmatch(line) or ARROW.fullmatch(line), line


def test_a_graph_that_nobody_would_draw_is_cut_at_its_end() -> None:
    chain = [entry(number, "x" * 60, blocked_by=(number - 1,)) for number in range(2, 5_001)]
    tangled = [entry(number, blocked_by=tuple(range(1, number))) for number in range(1, 60)]
    emoji = [entry(number, "\U0001f680" * 60) for number in range(1, 500)]
    foreign = [entry(number, foreign=(f"{'a-' * 70}/{number}#5",)) for number in range(1, 500)]
    outside = [entry(number, blocked_by=(999_000_000 + number,)) for number in range(1, 900)]
    for entries in (chain, tangled, emoji, foreign, outside):
        text = queue_graph(Queue(entries=tuple(entries)), empty="")
        arrows = [found for line in text.splitlines() if (found := ARROW.fullmatch(line))]
        nodes = {line.split("[")[0].strip() for line in text.splitlines() if NODE.fullmatch(line)}
        assert len(text) <= MOST_CHARACTERS + 200
        assert len(text) > MOST_CHARACTERS * 0.4 or len(arrows) > MOST_EDGES * 0.9
        assert len(arrows) <= MOST_EDGES
        assert all({found["before"], found["after"]} <= nodes for found in arrows)
        kept = len([name for name in nodes if name.startswith("i")])
        assert text.endswith(f'    rest["and {len(entries) - kept} more"]:::outside')
        assert kept > 20


def test_arrows_of_a_cycle_lead_to_what_is_drawn_only() -> None:
    last = 1_000
    lines = graph(*(entry(number, "x" * 60, blocked_by=(last, number % last + 1)) for number in range(1, last + 1)))
    assert not [line for line in lines if line.startswith(f"    i{last} ")]


def test_a_label_is_bounded() -> None:
    assert inert_label("x" * 500, 160) == "x" * 159 + "#8230;"
