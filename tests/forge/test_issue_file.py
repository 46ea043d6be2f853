"""Markdown files as issues: titles, and everything that cannot be an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.forge.issue_file import SIZE_LIMIT, TITLE_LIMIT, read_issue_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Add a switch\n\nText.", "Add a switch"),
        ("Intro first.\n\n## Add  a\tswitch ##\n", "Add a switch"),
        ("\n\n  Just a line  \nmore\n", "Just a line"),
        ("```sh\n# a comment\n```\n# The heading\n", "The heading"),
        ("~~~\n# never closed\n", "~~~"),
        ("#hashtag\n", "#hashtag"),
        ("#\n\nText\n", "#"),
        ("---\ntitle: From the front\n---\n# Heading\n", "From the front"),
        ("---\r\ntitle: Windows\r\n---\r\n# Heading\r\n", "Windows"),
        ("---\ntitle: 42\n---\n", "42"),
        ("---\ntitle: |\n  two\n  lines\n---\n", "two lines"),
        ("---\ndifficulty: easy\n---\n# Heading\n", "Heading"),
        ("---\n---\n# Heading\n", "Heading"),
        ("---\n# only: a comment\n---\nText\n", "Text"),
        ("---\n\nA rule first, and text.\n", "---"),
        ("\ufeff# With a mark\n", "With a mark"),
        ("# " + "x" * 400, "x" * TITLE_LIMIT),
    ],
)
def test_the_title(tmp_path: Path, text: str, title: str) -> None:
    file = tmp_path / "issue.md"
    file.write_bytes(text.encode())
    read = read_issue_file(file)
    assert read.title == title
    assert read.text == text.removeprefix("\ufeff")
    assert read.number is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\xff\xfe\x00", r"is not UTF-8 text \(byte 0\)"),
        (b"PK\x03\x04\x00\x00", "is binary"),
        (b"x" * (SIZE_LIMIT + 1), "is larger than 1 MiB"),
        (b"---\ndifficulty: easy\n---\n\n", "has no title and no text"),
        (b"---\ntitle: a\nnumber: [1\n---\nx", "is wrong in line 4: it is not YAML"),
        (b"---\ntitle: a: b\n---\nx", "is wrong in line 2: it is not YAML"),
        (b"---\n- a\n- b\n---\nx", "is wrong in line 2: it is not a list of `key: value` lines"),
        (b"---\njust words\n---\nx", "is wrong in line 2: it is not a list"),
        (b"---\ntitle: a\nnumber: twelve\n---\nx", "is wrong in line 3: `number`"),
        (b"---\ntitle: a\nnumber: 0\n---\nx", "is wrong in line 3: `number`"),
        (b"---\ntitle: a\nnumber: true\n---\nx", "is wrong in line 3: `number`"),
        (b"---\nnumber: 1\n'title': [a]\n---\nx", "is wrong in line 3: `title`"),
        (b"---\nnumber: 1000000000\n---\nx", "is wrong in line 2: `number`"),
        (b"---\nx: !!python/name:os.system\n---\nx", "is not YAML"),
        (b"---\nx: \x01\n---\nx", "it is not YAML"),
        (b"---\nx: " + b"[" * 20_000 + b"\n---\nx", "is nested too deeply"),
    ],
)
def test_what_cannot_be_an_issue_is_one_line_with_the_file_and_the_mend(tmp_path: Path, data: bytes, why: str) -> None:
    file = tmp_path / "12-issue.md"
    file.write_bytes(data)
    with pytest.raises(Misconfigured, match=why) as caught:
        read_issue_file(file)
    assert str(file) in caught.value.what
    assert caught.value.mend
    assert "\n" not in str(caught.value)


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    file = tmp_path / "issue.md"
    file.write_bytes(b"x" * SIZE_LIMIT)
    assert len(read_issue_file(file).text) == SIZE_LIMIT


@pytest.mark.parametrize(("name", "why"), [("absent.md", "No such file"), (".", "is a folder"), ("a/b.md", "No such")])
def test_what_is_no_file(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why):
        read_issue_file(tmp_path / name)
