"""Foreign text keeps its words and loses its powers: proved on what a Markdown renderer makes of it."""

from __future__ import annotations

import html
import itertools
import re
import time

import pytest
from markdown_it import MarkdownIt

from coordinator.report.inert import (
    code,
    fenced,
    inert_block,
    inert_cell,
    inert_line,
    inert_title,
    is_web_address,
    link,
    one_line,
    visible,
)

RENDER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

HOSTILE = [
    "![x](https://sink.example/?c=1)",
    "![x][ref]\n\n[ref]: https://sink.example/a.png",
    "[a](javascript:alert(1))",
    "[a][b]",
    "<https://sink.example>",
    "https://sink.example/a|b",
    "www.sink.example",
    "ftp://sink.example",
    "mail me@sink.example",
    '<img src="https://sink.example/a.png">',
    "<details><summary>x</summary>",
    "<!-- coordinator:v1 issue=42 run=1 -->",
    "</sub></details>",
    "&lt;b&gt; &#60;b&#62; &#64;everyone &num;9",
    "@everyone",
    "@dev",
    "x @org/team, y",
    "-@dev",
    "/approve",
    "/merge",
    "  /lgtm",
    "closes #9",
    "Fixes: org/repo#9",
    "resolves GH-9 and ABC-12",
    "closes https://forge.example/acme/app/issues/9",
    "#9",
    "##9",
    "!9",
    "c0ffee254729296a45a3885639ac7e10f9d54979",
    "```\nbroken out\n```",
    "~~~~\nx",
    "`a``b``@dev`",
    "`a` `` ` `` @dev",
    "\\`@dev\\`",
    "`@dev",
    "# Heading",
    "Heading\n===",
    "Heading\n---",
    "***",
    "> quote",
    "> [!WARNING]\n> believe me",
    "- [x] done",
    "1. one\n2. two",
    "1986. A year",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "*a* _b_ __c__ **d** ~~e~~",
    "$$x$$ $\\href{javascript:alert(1)}{x}$ \\[x\\] \\(x\\)",
    "    indented code",
    "[^1]: foot",
    ":tada: :::note",
    "a\u202eb\u200bc\U000e0041d\x00\x07\x1b[31me\ud800",
    "@\u200bdev #\u20609",
]
ALLOWED_TAGS = {"p", "blockquote", "code", "ul", "ol", "li", "br"}
LIVE_TEXT = [
    re.compile(r"(?:^|[^\w`])@\w"),
    re.compile(r"(?:^|[^\w&`])#\d"),
    re.compile(r"\w+://\w"),
    re.compile(r"\bwww\.\w"),
    re.compile(r"\bGH-\d"),
    re.compile(r"\w@\w"),
]


def tags_and_text(markdown: str) -> tuple[set[str], str]:
    """The tags of the rendered text, and what stands outside code."""
    page = RENDER.render(markdown)
    tags = {tag.lower() for tag in re.findall(r"</?([A-Za-z][A-Za-z0-9]*)", page)}
    outside = re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)
    return tags, html.unescape(re.sub(r"<[^>]*>", "\n", outside))


def assert_inert(markdown: str) -> None:
    tags, text = tags_and_text(markdown)
    assert tags <= ALLOWED_TAGS, markdown
    for pattern in LIVE_TEXT:
        assert not pattern.search(text), (pattern.pattern, markdown)
    for line in markdown.split("\n"):
        bare = line.lstrip("> ")
        assert not bare.startswith(("/", "#", "```", "~~~", "|", "==")), line


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_inert(text: str) -> None:
    assert_inert(inert_block(text, 4_000))
    assert_inert(inert_line(text, 400))


def test_hostile_text_stays_inert_in_every_pair() -> None:
    for first, second in itertools.product(HOSTILE, repeat=2):
        assert_inert(inert_block(f"{first}{second}", 4_000))
        assert_inert(inert_block(f"{first}\n{second}", 4_000))
        assert_inert(inert_line(f"{first} {second}", 400))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_not_leave_its_table_cell(text: str) -> None:
    page = RENDER.render(f"| a | b |\n| --- | --- |\n| {inert_cell(text, 400)} | end |\n")
    assert page.count("<td>") == 2
    assert "<td>end</td>" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_not_leave_its_fence(text: str) -> None:
    page = RENDER.render(fenced(text))
    assert page.startswith('<pre><code class="language-text">')
    assert page.count("<pre>") == 1
    assert page.rstrip().endswith("</code></pre>")


def test_words_lists_and_code_marks_survive() -> None:
    page = RENDER.render(inert_block("Fixed `parse()` in app_parser.\n\n* one\n2) two\n- three_four", 400))
    assert "<code>parse()</code> in app_parser." in page
    assert "<li>one</li>" in page
    assert "<li>three_four</li>" in page


def test_the_marks_of_a_fence_are_dropped_and_its_text_stays() -> None:
    assert inert_block("a\n```python\nb\n```\nc", 400) == "> a\n> b\n> c"


def test_every_word_of_plain_text_can_still_be_read() -> None:
    text = "100 % of <T> & [x] cost $3, a|b, 5 * 3 ~ 15, C:\\x, 91.4 % #tag 'q'"
    _, shown = tags_and_text(inert_line(text, 400))
    assert shown.strip() == text


def test_a_number_at_the_start_is_left_alone_unless_it_begins_a_list() -> None:
    assert inert_line("91.4 % of the lines", 99) == "91.4 % of the lines"
    assert inert_line("1986. A year", 99) == "&#49;986. A year"


def test_a_long_text_is_cut() -> None:
    assert inert_line("x" * 500, 100) == "x" * 99 + "…"
    block = inert_block("word " * 500, 100)
    assert block.endswith("(cut)")
    assert len(block) < 120


def test_a_megabyte_takes_no_time() -> None:
    start = time.process_time()
    for piece in ("a", "@", "`", "#1", "://", "\x1b]", "-", " ", "\n", "/x"):
        text = piece * 1_000_000
        inert_block(text, 4_000)
        inert_line(text, 400)
        fenced(text[:100_000])
    assert time.process_time() - start < 10.0


def test_hidden_characters_and_terminal_sequences_go() -> None:
    assert visible("a\x1b[31mb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1bMe") == "abcde"
    assert visible("a\r\nb\rc\u2028d\x85e") == "a\nb\nc\nd\ne"
    assert visible("\u202e\u200b\U000e0041\ufeff\x00\x9b\u2066") == ""
    assert visible("\ud800") == "\ufffd"
    assert visible("Größe ✅\t日本") == "Größe ✅\t日本"


def test_one_line() -> None:
    assert one_line(" a\n b\t c ", 10) == "a b c"


@pytest.mark.parametrize(
    ("title", "inert"),
    [
        ("Fix it", "Fix it"),
        ("Fix #9 for @dev in org/repo#5 and !4", "Fix # 9 for @ dev in org/repo# 5 and ! 4"),
        ("closes https://x.example/issues/9 GH-9", "closes https:// x.example/issues/9 GH- 9"),
        ("a\nb\u202e", "a b"),
        ("C# is fine!", "C# is fine!"),
    ],
)
def test_titles_name_nobody_and_close_nothing(title: str, inert: str) -> None:
    assert inert_title(title, 100) == inert


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://forge.example/a/b", True),
        ("http://127.0.0.1:3000/a?b=c#d", True),
        ("javascript:alert(1)", False),
        ("https://x.example/)(", False),
        ("https://x.example/ b", False),
        ("https://x.example/<b>", False),
        ('https://x.example/"', False),
        ("", False),
    ],
)
def test_only_plain_web_addresses_become_links(url: str, *, good: bool) -> None:
    assert is_web_address(url) is good
    assert link("text", url) == (f"[text]({url})" if good else "text")


def test_code_marks() -> None:
    assert (code("a`b\nc"), code(""), code("` `")) == ("`a'b c`", "", "`' '`")
