from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.evidence import Cleaner, Finding, counted, last_lines, one_line, shown, telling_lines

if TYPE_CHECKING:
    from pathlib import Path


def test_output_is_cleaned_of_what_changes_and_of_what_a_terminal_obeys(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    cleaner = Cleaner((tmp_path / "link",))
    text = f"{tmp_path}/link/a.py <X at 0x7f00deadbeef> {real}/b.py in 1.23s \x1b[31mred\x1b[0m\x07\r\npid 123 {real}"
    assert cleaner.clean(text) == "a.py <X at 0x…> b.py in …s red\npid … ."
    assert cleaner.relative(f"{real}/x/y.py") == "x/y.py"
    assert cleaner.relative("./y.py") == "y.py"


def test_findings_are_bounded_and_counted() -> None:
    finding = Finding(path="a.py", line=1, column=0, code="c", message="m" * 3000)
    details = shown([finding] * 60)
    assert isinstance(details["findings"], list)
    assert len(details["findings"]) == 50
    assert details["findings_total"] == 60
    first = details["findings"][0]
    assert isinstance(first, dict)
    assert first["message"] == "m" * 2000
    assert finding.place() == "a.py:1"
    assert finding.model_copy(update={"path": "", "line": 0}).place() == ""


def test_lines() -> None:
    assert last_lines("a\n\nb  \nc\n", 2) == "b\nc"
    assert one_line("a\n b", 10) == "a b"
    assert one_line("abcdef", 4) == "abc…"
    assert (counted(1, "test"), counted(2, "test")) == ("1 test", "2 tests")


def test_telling_lines_begin_where_the_reason_stands_and_are_the_last_ones_where_none_does() -> None:
    npm = "npm warn\n\nnpm error code EUSAGE\nnpm error\nnpm error Missing: a@1\nnpm error Usage:\nnpm error Log\n"
    assert telling_lines(npm, 3) == "npm error code EUSAGE\nnpm error\nnpm error Missing: a@1"
    assert telling_lines("one\ntwo\n\nthree\n", 2) == "two\nthree"
    assert telling_lines("one\n", 4) == "one"
    assert telling_lines("", 4) == ""
