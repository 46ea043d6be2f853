from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.gates.python.pytest_runner import PROPERTY
from coordinator.gates.reports.junit import ID_LIMIT, UnusableReport, read_report

if TYPE_CHECKING:
    from pathlib import Path

REPORT = """<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="5">
<testcase classname="tests.test_a.TestX" name="test_one[1]" file="tests/test_a.py" line="4" time="0.1"/>
<testcase classname="tests.test_a" name="test_two" file="tests/test_a.py" line="x">
<failure message="boom">E  first</failure><error message="then">not kept</error></testcase>
<testcase classname="tests.test_a" name="test_three" file="tests/test_a.py" line="99999999999">
<skipped type="pytest.skip" message="why">there</skipped><system-out>printed</system-out></testcase>
<testcase classname="other" name="test_four"><error message="setup"/></testcase>
<testcase classname="" name="tests.test_b" file="tests/test_b.py">
<error message="collection failure">E x</error></testcase>
</testsuite></testsuites>"""


def test_cases_are_read_with_their_outcomes(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(REPORT)
    report = read_report(tmp_path / "junit.xml")
    assert [case.node_id for case in report.cases] == [
        "tests/test_a.py::TestX::test_one[1]",
        "tests/test_a.py::test_two",
        "tests/test_a.py::test_three",
        "other::test_four",
        "tests/test_b.py",
    ]
    assert [case.outcome for case in report.cases] == ["passed", "failure", "skipped", "error", "error"]
    assert [case.line for case in report.cases] == [5, 0, 0, 0, 0]
    assert (report.cases[1].message, report.cases[1].text) == ("boom", "E  first")
    assert report.cases[2].text == "there"
    assert report.count("error") == 2
    assert len(report.broken()) == 3


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><testsuites><testsuite name="&c;"/></testsuites>'


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no report"), ("<a", "no XML"), ("<a/>", "no test suite"), (BOMB, "document type")],
)
def test_anything_else_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "junit.xml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UnusableReport, match=words):
        read_report(path)


def test_a_link_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "real.xml").write_text(REPORT)
    (tmp_path / "junit.xml").symlink_to("real.xml")
    with pytest.raises(UnusableReport, match="no report"):
        read_report(tmp_path / "junit.xml")


def test_the_exact_id_is_the_one_that_was_there_before_the_test(tmp_path: Path) -> None:
    name = f'<property name="{PROPERTY}" value='
    properties = f'<properties><property name="x" value="y"/>{name}"a.py::own"/>{name}"b.py::other"/></properties>'
    (tmp_path / "junit.xml").write_text(
        f'<testsuite><properties>{name}"c.py::none"/></properties><testcase name="n">{properties}'
        '<skipped type="pytest.xfail" message=""/></testcase><testcase name="m" classname="c"/></testsuite>'
    )
    cases = read_report(tmp_path / "junit.xml").cases
    assert [case.node_id for case in cases] == ["a.py::own", "c::m"]
    assert [case.kind for case in cases] == ["pytest.xfail", ""]


def test_long_texts_are_cut(tmp_path: Path) -> None:
    long = "x" * 20_000
    (tmp_path / "junit.xml").write_text(REPORT.replace("first", long).replace("boom", long))
    case = read_report(tmp_path / "junit.xml").cases[1]
    assert (len(case.text), len(case.message)) == (8000, 8000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<testsuite>" * 101 + "</testsuite>" * 101, "more than 100 elements within each other"),
        ("<testsuite>" + "<testcase/>" * 500_001 + "</testsuite>", "more than 500000 tests"),
    ],
)
def test_a_report_that_takes_too_much_memory_is_not_read(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "junit.xml").write_text(text)
    with pytest.raises(UnusableReport, match=message):
        read_report(tmp_path / "junit.xml")


def test_many_suites_one_after_another_are_not_deep_and_long_names_are_cut(tmp_path: Path) -> None:
    suites = "<testsuite><testcase classname='c' name='{0}' file='{0}'/></testsuite>".format("n" * 9000) * 200
    (tmp_path / "junit.xml").write_text(f"<testsuites>{suites}</testsuites>")
    report = read_report(tmp_path / "junit.xml")
    assert len(report.cases) == 200
    assert len(report.cases[0].name) == len(report.cases[0].file) == ID_LIMIT
