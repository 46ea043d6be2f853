from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.evidence import Cleaner, Finding, counted, last_lines, one_line, shown

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
