"""Places in the output of compilers, linters and test runners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.gates.reports.problems import MOST_PLACES, MOST_PROBLEMS, problems
from tests.support import write_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_files(tmp_path, {"a.go": "", "src/lib.rs": "", "web/app.ts": ""})
    (tmp_path / "link.go").symlink_to("a.go")
    (tmp_path / "out").symlink_to("/etc")
    return tmp_path


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("./a.go:3:7: undefined: x", [("a.go", 3, 7, "undefined: x")]),
        ("    a.go:12: got 6", [("a.go", 12, 0, "got 6")]),
        ("web/app.ts(4,9): error TS2322: no", [("web/app.ts", 4, 9, "error TS2322: no")]),
        ("error[E0308]: mismatched\n\n  --> src/lib.rs:2:5\n   |", [("src/lib.rs", 2, 5, "error[E0308]: mismatched")]),
        ("thread 't::x' (12) panicked at src/lib.rs:9:9:\nleft: 4", [("src/lib.rs", 9, 9, "left: 4")]),
        ("a.go:1: one\na.go:1: one\na.go:1: two", [("a.go", 1, 0, "one"), ("a.go", 1, 0, "two")]),
        ("--> src/lib.rs:2:5", []),
        ("a.go:7:", []),
        ("gone.go:1: no such file", []),
        ("link.go:1: a link", []),
        ("out/passwd:1: beyond the tree", []),
        ("../a.go:1: above the tree", []),
        ("/etc/passwd:1: elsewhere", []),
        ("12:30: a time of day", []),
        (f"a.go:1: {'x' * 3000}", []),
    ],
)
def test_what_counts_as_a_place(tree: Path, output: str, expected: list[tuple[str, int, int, str]]) -> None:
    found = problems(output, tree)
    assert [(each.path, each.line, each.column, each.message) for each in found] == expected


def test_a_flood_of_places_is_read_up_to_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("")
    flood = "".join(f"a.c:{number}: wrong\n" for number in range(1, MOST_PROBLEMS + 10))
    assert len(problems(flood, tmp_path)) == MOST_PROBLEMS
    nowhere = "b.c:1: wrong\n" * MOST_PLACES
    assert problems(f"a.c:1: first\n{nowhere}a.c:2: never seen\n", tmp_path)[-1].message == "first"
