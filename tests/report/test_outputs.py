"""The files that the runner reads."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING

import pytest

from coordinator.report.outputs import OUTPUT_LIMIT, action_outputs, write_outputs, write_summary
from tests.report.scenarios import ACCEPTING, FIRST, REPORTS, clean, gate

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    "outcome",
    "issue",
    "agent",
    "branch",
    "pull-request",
    "verdict",
    "input-tokens",
    "output-tokens",
    "cost-usd",
    "report",
]


def parse(text: str) -> dict[str, str]:
    """Read the file as the runners do: `name<<word`, lines, `word`."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        name, mark, word = line.partition("<<")
        assert mark, line
        value = []
        for inner in lines:
            if inner == word:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


def test_all_outputs_of_the_action() -> None:
    outputs = action_outputs(clean(REPORTS["completed"]))
    assert list(outputs) == NAMES
    assert (outputs["outcome"], outputs["issue"], outputs["pull-request"]) == ("completed", "42", "57")
    assert (outputs["input-tokens"], outputs["output-tokens"]) == ("442345", "6789")
    assert outputs["cost-usd"] == "0.910000"
    assert json.loads(outputs["verdict"])["passed"] is True


def test_what_a_run_did_not_come_to_is_empty() -> None:
    outputs = action_outputs(clean(REPORTS["refused"]))
    assert (outputs["verdict"], outputs["branch"], outputs["pull-request"], outputs["report"]) == ("", "", "", "")
    assert action_outputs(clean(REPORTS["working"]))["outcome"] == ""


def test_a_huge_verdict_loses_its_details() -> None:
    verdict = ACCEPTING.model_copy(update={"gates": (gate("test", output="x" * OUTPUT_LIMIT),)})
    report = REPORTS["completed"].model_copy(update={"attempts": (FIRST.model_copy(update={"verdict": verdict}),)})
    brief = json.loads(action_outputs(clean(report))["verdict"])
    assert brief["gates"] == [{"gate": "test", "passed": True, "message": "fine", "seconds": 6.1}]


def test_hostile_values_set_no_other_output(tmp_path: Path) -> None:
    path = tmp_path / "output"
    values = {"outcome": "rejected", "agent": "x\nEOF\noutcome=completed\noutcome<<EOF\ncompleted\nEOF", "report": ""}
    write_outputs(path, values)
    assert parse(path.read_text()) == values
    words = re.findall(r"<<(\S+)$", path.read_text(), re.MULTILINE)
    assert len({word for word in words if word != "EOF"}) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", word) for word in words if word != "EOF")


def test_a_delimiter_that_stands_in_the_value_is_not_used(tmp_path: Path) -> None:
    words = iter(["known", "fresh"])
    write_outputs(tmp_path / "output", {"agent": "a\nknown\nb"}, make_delimiter=lambda: next(words))
    assert (tmp_path / "output").read_text() == "agent<<fresh\na\nknown\nb\nfresh\n"


@pytest.mark.parametrize("name", ["a=b", "a\nb", "", "PATH"])
def test_a_name_that_is_none_of_ours_is_a_bug(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name of an output"):
        write_outputs(tmp_path / "output", {name: "x"})


def test_what_others_appended_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text("outcome=completed\n" * 100)
    write_outputs(path, {"outcome": "rejected"})
    assert parse(path.read_text()) == {"outcome": "rejected"}


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "output").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        write_outputs(tmp_path / "output", {"outcome": "x"})
    assert target.read_text() == "mine"


def test_the_summary_is_written_whole_and_in_utf8(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    write_summary(path, "Größe \ud800")
    assert path.read_bytes() == "Größe ?".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
