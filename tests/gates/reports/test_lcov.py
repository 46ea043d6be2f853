"""Reading lcov tracefiles."""

from __future__ import annotations

import pytest

from coordinator.gates.reports.lcov import UnusableLcov, parse_lcov

REPORT = """TN:unit
SF:src/a.ts
FN:1,double
DA:1,2
DA:2,0
DA:4,-1
LF:900
LH:900
end_of_record
SF:src/b.ts
DA:7,1,k3yZ
end_of_record
TN:other
SF:src/a.ts
DA:2,1
DA:4,0
end_of_record
"""


def test_records_of_one_file_are_joined_and_summaries_are_not_believed() -> None:
    report = parse_lcov(REPORT)
    assert report.files == {"src/a.ts": {1: True, 2: True, 4: False}, "src/b.ts": {7: True}}
    assert (report.lines, report.covered, report.percent) == (4, 3, 75.0)
    assert report.missing() == {"src/a.ts": [4]}


@pytest.mark.parametrize("text", ["", "TN:x\n", "SF:a\nend_of_record\n", "no tracefile at all\n"])
def test_nothing_measured_is_no_coverage(text: str) -> None:
    report = parse_lcov(text)
    assert (report.lines, report.percent) == (0, 0.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DA:1,1\n", "line 1 has no place"),
        ("SF:a\nDA:one,1\nend_of_record\n", "line 2 has no place in a tracefile: DA:one,1"),
        ("SF:a\nDA:1,1\n", "breaks off"),
        (f"SF:a\nDA:{'9' * 4400},1\nend_of_record\n", "line 2"),
        ("SF:a\nDA:\u0661,1\nend_of_record\n", "line 2"),
    ],
)
def test_what_is_no_tracefile_is_said(text: str, said: str) -> None:
    with pytest.raises(UnusableLcov, match=said):
        parse_lcov(text)
