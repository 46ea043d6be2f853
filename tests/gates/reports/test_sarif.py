"""Reading SARIF logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coordinator.gates.evidence import Cleaner
from coordinator.gates.reports.sarif import SarifReport, UnusableSarif, parse_sarif

ROOT = Path("/build/tree")
CLEANER = Cleaner((ROOT,))
RULES = [
    {"id": "R0"},
    {"id": "R1", "defaultConfiguration": {"level": "note"}},
    {"id": "R2", "defaultConfiguration": {"level": "error"}},
]


def result(**fields: object) -> dict[str, object]:
    return {"ruleId": "R0", "message": {"text": "bad"}, **fields}


def place(uri: str, **region: int) -> dict[str, object]:
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def log(*results: dict[str, object], version: str = "2.1.0", **run: object) -> bytes:
    one = {"tool": {"driver": {"name": "lint", "rules": RULES}}, "results": list(results), **run}
    return json.dumps({"version": version, "runs": [one]}).encode()


def parsed(*results: dict[str, object]) -> SarifReport:
    return parse_sarif(log(*results), CLEANER)


def test_a_finding_has_its_place_relative_to_the_tree() -> None:
    found = parsed(
        result(locations=[place("file:///build/tree/src/a%20b.go", startLine=3, startColumn=5)]),
        result(locations=[place("src/c.go")], level="error"),
        result(message={"markdown": "**bad**"}, ruleId=None, ruleIndex=2) | {"ruleId": ""},
        result(locations=[place("https://example.org/x")]),
        result(locations=[place("http://[broken")]),
    ).findings
    assert [(each.path, each.line, each.column, each.code, each.message) for each in found] == [
        ("src/a b.go", 3, 5, "R0", "bad"),
        ("src/c.go", 0, 0, "R0", "bad"),
        ("", 0, 0, "R2", "**bad**"),
        ("https://example.org/x", 0, 0, "R0", "bad"),
        ("http://[broken", 0, 0, "R0", "bad"),
    ]


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, (1, 0, 0)),
        ({"level": "error"}, (1, 0, 0)),
        ({"level": "note"}, (0, 1, 0)),
        ({"level": "none"}, (0, 1, 0)),
        ({"ruleId": "R1"}, (0, 1, 0)),
        ({"ruleId": "R1", "level": "error"}, (1, 0, 0)),
        ({"ruleId": "R2"}, (1, 0, 0)),
        ({"ruleIndex": 1}, (0, 1, 0)),
        ({"rule": {"index": 1}}, (0, 1, 0)),
        ({"ruleId": "", "rule": {"id": "R1"}}, (0, 1, 0)),
        ({"ruleId": "unknown", "ruleIndex": 99}, (1, 0, 0)),
        ({"kind": "pass"}, (0, 1, 0)),
        ({"kind": "notApplicable", "level": "error"}, (0, 1, 0)),
        ({"suppressions": [{"kind": "inSource"}]}, (0, 0, 1)),
        ({"suppressions": [{"kind": "inSource", "status": "accepted"}]}, (0, 0, 1)),
        ({"suppressions": [{"kind": "external", "status": "rejected"}]}, (1, 0, 0)),
        ({"suppressions": [{"status": "accepted"}, {"status": "underReview"}]}, (1, 0, 0)),
    ],
)
def test_errors_and_warnings_that_nobody_suppressed_are_findings(
    fields: dict[str, object], counts: tuple[int, int, int]
) -> None:
    report = parsed(result(**fields))
    assert (len(report.findings), report.harmless, report.suppressed) == counts


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{}", "no SARIF log: version Field required"),
        (b'{"version": "2.1.0", "runs": []}', "no run"),
        (b'{"version": "2.0.0", "runs": []}', "version 2.0.0, not 2.1"),
        (b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}}]}', "x gives no list of results"),
        (b'{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": null}]}', "the tool gives no list"),
        (log(invocations=[{"executionSuccessful": False}]), "lint says that it did not run to its end"),
        (b'{"version": ' + b"[" * 100_000, "no SARIF log"),
        (b"{\xff", "no SARIF log"),
        (log(result(locations=[place("a", startLine=-1)])), "no SARIF log: runs.0.results.0"),
    ],
)
def test_a_log_that_says_nothing_is_no_clean_one(data: bytes, said: str) -> None:
    with pytest.raises(UnusableSarif, match=said):
        parse_sarif(data, CLEANER)


def test_a_run_that_succeeded_and_found_nothing_is_clean() -> None:
    assert parse_sarif(log(invocations=[{"executionSuccessful": True}]), CLEANER) == SarifReport()


@pytest.mark.parametrize("filler", ["{}," * 500_001, " " * (17 << 20)])
def test_a_log_that_takes_too_much_memory_is_not_read(filler: str) -> None:
    text = f'{{"version": "2.1.0", "x": [{filler}{{}}], "runs": []}}'
    with pytest.raises(UnusableSarif, match="larger than 16 MB or has more than 500000 objects"):
        parse_sarif(text.encode(), Cleaner(()))
