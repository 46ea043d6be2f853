"""Commands of the project's own as gates: exit status, reports, what they see, and what they leave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import CommandGateSection, GatesSection, IntegrityGateSection
from coordinator.gates.judgement import OTHER_TOOLS
from tests.gates.support import judge, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.gates.protocol import GateResult, Verdict

README = {"README.md": "A project in a language that nobody here knows.\n", "src/a.x": "one\ntwo\n"}
JUNIT = '<testsuite name="x">{}</testsuite>'
GOOD = '<testcase classname="a" name="one"/>'
BAD = '<testcase classname="a" name="two" file="src/a.x" line="1"><failure message="boom">no</failure></testcase>'
SKIPPED = '<testcase classname="a" name="three"><skipped/></testcase>'


def section(*commands: CommandGateSection) -> GatesSection:
    return GatesSection(commands=commands, integrity=IntegrityGateSection(enabled=False))


def command(line: str, report: str | None = None, **fields: float | None) -> CommandGateSection:
    return CommandGateSection.model_validate({"name": "own", "run": line, "report": report, **fields})


def verdict(
    folder: Path, *commands: CommandGateSection, files: Mapping[str, str] = README, setup: tuple[str, ...] | None = None
) -> Verdict:
    repository = make_repository(folder / "repository", files)
    return judge(repository, folder / "home", section(*commands), setup=setup)


def own(folder: Path, line: str, report: str | None = None, **fields: float | None) -> GateResult:
    return result_of(verdict(folder, command(line, report, **fields)), "own")


def reported(folder: Path, text: str, *, then: str = "true", **fields: float | None) -> GateResult:
    """Judge by a command that writes a report and then ends as `then` does."""
    files = {**README, "prepared": text}
    judged = verdict(folder, command(f"mkdir out; cp prepared out/report; {then}", "out/report", **fields), files=files)
    return result_of(judged, "own")


def told(result: GateResult) -> tuple[object, str]:
    assert result.passed is (result.details["state"] == "passed")
    return result.details["state"], result.message


def test_exit_code_0_passes_and_nothing_else_is_needed(tmp_path: Path) -> None:
    judged = verdict(tmp_path, command("test -f src/a.x"))
    assert judged.passed
    assert [gate.gate for gate in judged.gates] == ["own"]
    assert told(judged.gates[0]) == ("passed", "`test -f src/a.x` passed")
    assert judged.gates[0].details["command"] == "test -f src/a.x"


def test_another_exit_code_fails_and_the_output_says_where(tmp_path: Path) -> None:
    line = "echo building; echo $PWD/src/a.x:2:1: no such word >&2; exit 3"
    result = own(tmp_path, line)
    assert told(result) == (
        "failed",
        f"`{line}` ended with exit code 3: src/a.x:2:1: no such word",
    )
    assert result.details["findings"] == [
        {"path": "src/a.x", "line": 2, "column": 1, "code": "", "message": "no such word"}
    ]
    assert result.details["output"] == "building\nsrc/a.x:2:1: no such word"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("echo first; echo 'Error: the cause'; echo last; exit 1", "Error: the cause"),
        ("echo first; echo 'FAIL pkg'; echo last; exit 1", "FAIL pkg"),
        ("echo first; echo 'KeyError: x'; echo last; exit 1", "KeyError: x"),
        ("echo first; echo last; exit 1", "last"),
    ],
)
def test_the_message_quotes_the_line_that_tells_most(tmp_path: Path, line: str, said: str) -> None:
    assert own(tmp_path, line).message.endswith(f"ended with exit code 1: {said}")


def test_silence_is_no_reason_to_say_nothing(tmp_path: Path) -> None:
    assert told(own(tmp_path, "exit 1")) == ("failed", "`exit 1` ended with exit code 1")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("golangci-lint-x run", "golangci-lint-x is not there for `golangci-lint-x run`: install it on the runner"),
        ("true && no-such-tool", "no-such-tool is not there for `true && no-such-tool`"),
        ("exit 127", "exit is not there"),
        ("./src/a.x", "`./src/a.x` cannot be executed"),
        ("kill -9 $$", "`kill -9 $$` was ended by signal 9"),
        ("sh -c 'kill -11 $$'; exit $?", "was ended by signal 11"),
        ("sleep 60", "`sleep 60` reached its limit of 0.01 minutes"),
    ],
)
def test_a_check_that_could_not_be_done_is_an_error(tmp_path: Path, line: str, said: str) -> None:
    result = own(tmp_path, line, minutes=0.01)
    assert result.details["state"] == "error"
    assert said in result.message


def test_durations_and_hashes_do_not_make_two_answers_of_one(tmp_path: Path) -> None:
    line = (
        "echo ran in 0.0$$s, 12ms and 1.5 seconds; echo duration_ms 0.$$; echo \"thread 'main' ($$) panicked\";"
        " echo target/debug/deps/toy-0123456789abcdef; exit 1"
    )
    assert own(tmp_path, line).details["output"] == (
        "ran in …s, … and …\nduration_ms …\nthread 'main' panicked\ntarget/debug/deps/toy-…"
    )


def test_each_command_writes_into_a_copy_of_its_own(tmp_path: Path) -> None:
    write = command("echo x > made; sleep 0.5; test -f made")
    look = CommandGateSection(name="other", run="sleep 0.2; test ! -e made")
    assert verdict(tmp_path, write, look).passed


def test_a_committed_report_is_no_report(tmp_path: Path) -> None:
    files = {**README, "out/report": JUNIT.format(GOOD)}
    judged = verdict(tmp_path, command("true", "out/report"), files=files)
    assert told(judged.gates[0]) == (
        "error",
        "`true` ended with exit code 0, but there is no report at out/report, or it is no plain file of at most 32 MB",
    )


@pytest.mark.parametrize(
    "line",
    [
        "ln -s prepared report",
        "mkfifo report",
        "mkdir report",
        "truncate -s 33M report",
        "mkdir a; cp prepared a/report; ln -s a b; rm -rf out; ln -s a out",
    ],
)
def test_only_a_plain_file_of_bounded_size_is_a_report(tmp_path: Path, line: str) -> None:
    files = {**README, "prepared": JUNIT.format(GOOD)}
    name = "out/report" if " out" in line else "report"
    result = result_of(verdict(tmp_path, command(line, name), files=files), "own")
    assert result.details["state"] == "error"
    assert "there is no report at" in result.message


def test_junit_counts(tmp_path: Path) -> None:
    result = reported(tmp_path, JUNIT.format(GOOD + SKIPPED))
    assert told(result) == ("passed", "1 test passed, 1 skipped")
    assert (result.details["tests"], result.details["passed"], result.details["skipped"]) == (2, 1, 1)


def test_a_failure_in_the_report_counts_more_than_exit_code_0(tmp_path: Path) -> None:
    result = reported(tmp_path, JUNIT.format(GOOD + BAD))
    assert told(result) == ("failed", "1 of 2 tests failed: src/a.x::two")
    assert result.details["findings"] == [
        {"path": "src/a.x", "line": 2, "column": 0, "code": "src/a.x::two", "message": "no"}
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (JUNIT.format(""), "it holds no test"),
        (JUNIT.format(SKIPPED), "no test passed: all 1 were skipped"),
        ("<testsuite", "the command's report is no XML"),
        ("<html/>", "holds no test suite"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><testsuite/>', "declares a document type"),
        ("{}", "no SARIF log"),
        ('{"version": "2.1.0", "runs": []}', "it holds no run"),
        ("all is well", "no line was measured"),
        ("", "no line was measured"),
        ("SF:a\n", "breaks off"),
    ],
)
def test_a_report_that_says_nothing_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    result = reported(tmp_path, text)
    assert result.details["state"] == "error"
    assert "ended with exit code 0, but the report out/report cannot be used" in result.message
    assert said in result.message


def test_a_report_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    result = own(tmp_path, "printf '\\377\\376' > report", "report")
    assert result.message.endswith("it is neither XML nor JSON nor text")


def test_an_exit_code_is_not_outdone_by_a_clean_report(tmp_path: Path) -> None:
    result = reported(tmp_path, JUNIT.format(GOOD), then="echo 'error: coverage too low'; exit 2")
    assert result.details["state"] == "failed"
    assert result.message.endswith("ended with exit code 2, though its report names no fault: error: coverage too low")


def test_a_bad_end_without_a_report_is_the_trees_fault(tmp_path: Path) -> None:
    result = own(tmp_path, "echo src/a.x:1: syntax error; exit 1", "report.xml")
    assert result.details["state"] == "failed"
    assert "ended with exit code 1, and there is no report at report.xml" in result.message
    assert result.message.endswith("src/a.x:1: syntax error")


def sarif(*results: Mapping[str, object]) -> str:
    return json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "l"}}, "results": [*results]}]})


FOUND: dict[str, object] = {
    "ruleId": "R1",
    "message": {"text": "do not"},
    "locations": [
        {"physicalLocation": {"artifactLocation": {"uri": "src/a.x"}, "region": {"startLine": 1, "startColumn": 2}}}
    ],
}


def test_sarif_findings_fail_whatever_the_exit_code(tmp_path: Path) -> None:
    result = reported(tmp_path, sarif(FOUND, {"message": {"text": "nowhere"}}))
    assert told(result) == ("failed", "2 findings, first src/a.x:1:2: R1 do not")
    assert result.details["findings_total"] == 2


def test_sarif_without_a_place_is_a_finding_too(tmp_path: Path) -> None:
    assert reported(tmp_path, sarif({"message": {"text": "bad"}})).message == "1 finding, first bad"


def test_sarif_without_findings_passes_and_says_what_was_left_aside(tmp_path: Path) -> None:
    note, silenced = {**FOUND, "level": "note"}, {**FOUND, "suppressions": [{"kind": "inSource"}]}
    assert reported(tmp_path, "\ufeff  " + sarif(note, silenced)).message == "nothing found (1 harmless, 1 suppressed)"


def test_sarif_of_a_clean_run(tmp_path: Path) -> None:
    assert told(reported(tmp_path, sarif())) == ("passed", "nothing found")


LCOV = "SF:src/a.x\nDA:1,1\nDA:2,0\nDA:3,2\nend_of_record\n"


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (None, ("passed", "66.66 % of 3 lines in 1 file covered")),
        (66.6, ("passed", "66.66 % of 3 lines in 1 file covered, 66.6 % is needed")),
        (66.67, ("failed", "66.66 % of 3 lines in 1 file covered, 66.67 % is needed")),
    ],
)
def test_lcov_is_compared_with_the_threshold(
    tmp_path: Path, threshold: float | None, expected: tuple[str, str]
) -> None:
    result = reported(tmp_path, LCOV, threshold=threshold)
    assert told(result) == expected
    assert result.details["missing"] == [{"path": "src/a.x", "lines": "2"}]
    assert (result.details["lines"], result.details["covered"]) == (3, 2)


def test_the_set_up_runs_once_and_its_products_are_there_for_each_command(tmp_path: Path) -> None:
    setup = (
        "mkdir -p deps/sub src/gen && echo a > deps/sub/a && echo b > src/gen/b && ln -s a deps/sub/link",
        "date +%N > stamp",
    )
    log = tmp_path / "log"
    one = command(f"cat deps/sub/link src/gen/b && cat stamp >> {log}")
    two = CommandGateSection(name="two", run=f"rm -r deps && cat stamp >> {log}")
    judged = verdict(tmp_path, one, two, setup=setup)
    assert judged.passed, [gate.message for gate in judged.gates]
    assert len(set(log.read_text().split())) == 1


def test_the_judged_tree_wins_over_what_the_set_up_makes(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", {**README, "lib/x": ""})
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, {"made": "by the tree\n"})
    (repository / "lib" / "x").unlink()
    (repository / "lib").rmdir()
    (repository / "lib").symlink_to("src")
    commit_files(repository, {})
    line = command("grep -q tree made && test -L lib && test ! -e src/extra")
    judged = judge(
        repository, tmp_path / "home", section(line), base=base, setup=("echo setup > made; echo x > lib/extra",)
    )
    assert judged.passed, judged.gates[0].message


def test_the_set_up_is_that_of_the_base(tmp_path: Path) -> None:
    """What the change brings is not run with the network open."""
    repository = make_repository(tmp_path / "repository", {**README, "prepare.sh": "echo base > made\n"})
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, {"prepare.sh": "echo head > made\n"})
    judged = judge(
        repository, tmp_path / "home", section(command("grep -q base made")), base=base, setup=("sh prepare.sh",)
    )
    assert judged.passed, judged.gates[0].message


def test_a_set_up_that_fails_is_said_by_each_command(tmp_path: Path) -> None:
    two = CommandGateSection(name="two", run="true")
    judged = verdict(tmp_path, command("true"), two, setup=("echo no such package >&2; exit 4",))
    for result in judged.gates:
        assert result.details["state"] == "error"
        assert (
            "set-up failed: `echo no such package >&2; exit 4` ended with exit code 4: no such package"
            in result.message
        )


def test_a_set_up_that_ends_with_pages_of_help_is_told_by_where_its_reason_begins(tmp_path: Path) -> None:
    line = "echo fetching; echo npm error code EUSAGE; echo; echo npm error out of sync; seq 30; exit 1"
    (result,) = verdict(tmp_path, command("true"), setup=(line,)).gates
    assert "ended with exit code 1: npm error code EUSAGE npm error out of sync 1 2. Run it" in result.message


def test_a_set_up_that_calls_what_is_not_there_says_where_it_has_to_be(tmp_path: Path) -> None:
    (result,) = verdict(tmp_path, command("true"), setup=("no-such-tool fetch",)).gates
    assert result.details["state"] == "error"
    assert "in a folder of PATH that other accounts can read" in result.message


def test_the_home_of_the_set_up_is_there_for_each_command_and_its_own_is_fresh(tmp_path: Path) -> None:
    line = "grep -q cached ~/cache/a && test ! -e ~/mine && touch ~/mine && test -d $TMPDIR"
    commands = (command(line), CommandGateSection(name="two", run=line))
    judged = verdict(tmp_path, *commands, setup=("mkdir ~/cache && echo cached > ~/cache/a",))
    assert judged.passed, [gate.message for gate in judged.gates]
    assert all(gate.details[OTHER_TOOLS] is True for gate in judged.gates)


def test_a_package_file_that_cannot_be_written_as_it_was_keeps_the_base_s_scripts(tmp_path: Path) -> None:
    files = {**README, "package.json": '{"scripts": {"test": "base"}}'}
    repository = make_repository(tmp_path / "repository", files)
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, {"package.json": '{"name": "\\ud800", "scripts": {"test": "head"}}'})
    judged = judge(repository, tmp_path / "home", section(command("grep -q base package.json")), base=base)
    assert judged.passed, judged.gates[0].message


def test_npm_scripts_are_those_of_the_base(tmp_path: Path) -> None:
    def package(script: str, **more: object) -> str:
        return json.dumps({"scripts": {"test": script}, **more})

    files = {
        **README, "package.json": package("real"), "sub/package.json": "{", "node_modules/x/package.json": package("x"),
    }  # fmt: skip
    repository = make_repository(tmp_path / "repository", files)
    base = git(repository, "rev-parse", "HEAD")
    commit_files(
        repository,
        {"package.json": package("true", version="2"), "new/package.json": package("own"),
         "node_modules/x/package.json": package("y")},
    )  # fmt: skip
    line = command("grep -q real package.json && grep -q '\"2\"' package.json && grep -q own new/package.json")
    judged = judge(repository, tmp_path / "home", section(line), base=base)
    assert judged.passed, judged.gates[0].message
    assert judged.gates[0].details["notes"] == ["package.json: its scripts differ from the base; the base's were used"]


def test_in_a_python_project_commands_run_in_its_environment_on_the_trees_sources(tmp_path: Path) -> None:
    files = {"pyproject.toml": "", "src/toy/__init__.py": "NAME = 'toy'\n"}
    line = "python -c 'import toy, os; assert toy.__file__.startswith(os.getcwd()), toy.__file__; import pytest'"
    off = {"enabled": False}
    gates = {"build": off, "lint": off, "test": off, "coverage": off, "integrity": off}
    repository = make_repository(tmp_path / "repository", files)
    wanted = GatesSection.model_validate({**gates, "commands": [{"name": "own", "run": line}]})
    judged = judge(repository, tmp_path / "home", wanted)
    assert judged.passed, judged.gates[0].message
