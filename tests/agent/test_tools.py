from __future__ import annotations

import io
import json
import os
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.agent import edit_file
from coordinator.agent.bash import BashTool
from coordinator.agent.edit import EditTool
from coordinator.agent.output import KEPT_FILES, SHOWN, OutputFiles, clean
from coordinator.agent.reply import ToolCall
from coordinator.agent.tools import BadInput, Toolbox, ToolResult
from coordinator.sandbox.protocol import Network
from tests.agent.support import ProcessSandbox, redact
from tests.support import API_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bench:
    """The two tools over one checkout."""

    def __init__(self, folder: Path, files: OutputFiles, *, remaining: float = 60.0) -> None:
        self.sandbox = ProcessSandbox(folder)
        self.checkout = self.sandbox.make_folder("checkout-")
        self.bash = BashTool(
            self.sandbox,
            self.checkout,
            files,
            environment={"PROJECT": "sample"},
            network=Network.LOOPBACK,
            remaining_seconds=lambda: remaining,
            redact=redact,
        )
        self.edit = EditTool(self.sandbox, self.checkout, python=sys.executable)

    def run(self, command: str, **more: Any) -> ToolResult:
        return self.bash.run({"command": command, **more})

    def change(self, path: str, old: str, new: str) -> ToolResult:
        """Edit in a child, as the agent does."""
        return self.edit.run({"path": path, "old": old, "new": new})


class BenchHere(Bench):
    """The same with the script of `edit` in this process, so that its coverage is seen."""

    def change(self, path: str, old: str, new: str) -> ToolResult:
        out = io.StringIO()
        edit_file.main(io.StringIO(json.dumps({"path": path, "old": old, "new": new})), out, str(self.checkout))
        answer = json.loads(out.getvalue())
        return ToolResult(answer["message"], is_error=not answer["ok"])


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


@pytest.fixture
def bench(tmp_path: Path, outputs: Path) -> Iterator[Bench]:
    with OutputFiles(outputs) as files:
        yield Bench(tmp_path, files)


@pytest.fixture(params=[Bench, BenchHere])
def editing(request: pytest.FixtureRequest, tmp_path: Path, outputs: Path) -> Iterator[Bench]:
    with OutputFiles(outputs) as files:
        yield request.param(tmp_path, files)


def test_bash_runs_in_the_checkout_and_says_how_it_ended(bench: Bench) -> None:
    result = bench.run("pwd; echo oops >&2; echo $PROJECT $PAGER; exit 3")
    assert result == ToolResult(f"{bench.checkout}\noops\nsample cat\n[exit code 3]")
    assert bench.run("true").text == "[exit code 0; no output]"
    assert bench.run("kill -9 $$").text == "[ended by signal 9; no output]"


def test_bash_asks_for_the_network_of_the_configuration(bench: Bench) -> None:
    bench.run("true")
    assert bench.sandbox.commands[0].network is Network.LOOPBACK


def test_a_command_that_takes_too_long_keeps_its_output(bench: Bench) -> None:
    started = time.monotonic()
    result = bench.run("echo before; sleep 60 & sleep 60", timeout_seconds=0.3)
    assert time.monotonic() - started < 10
    assert result == ToolResult("before\n[stopped at the time limit of 0 s]", is_error=True)


@pytest.mark.parametrize(("asked", "remaining", "given"), [(9999, 9999, 600), (9999, 42, 42), (7, 42, 7), (7, 0, 1)])
def test_the_time_limit_has_a_ceiling(tmp_path: Path, outputs: Path, asked: int, remaining: int, given: int) -> None:
    with OutputFiles(outputs) as files:
        bench = Bench(tmp_path, files, remaining=remaining)
        bench.run("true", timeout_seconds=asked)
    assert bench.sandbox.commands[0].limits.seconds == given


def test_the_default_time_limit_is_two_minutes(tmp_path: Path, outputs: Path) -> None:
    with OutputFiles(outputs) as files:
        bench = Bench(tmp_path, files, remaining=9999)
        bench.run("true")
    assert bench.sandbox.commands[0].limits.seconds == 120


def test_a_background_process_does_not_hold_the_call(bench: Bench) -> None:
    started = time.monotonic()
    assert bench.run("sleep 60 & echo started").text == "started\n[exit code 0]"
    assert time.monotonic() - started < 10


def test_a_command_that_reads_gets_nothing(bench: Bench) -> None:
    assert bench.run('cat; read -r answer; echo "read: $?"').text == "read: 1\n[exit code 0]"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "command: Field required"),
        ({"command": ""}, "at least 1 character"),
        ({"command": "a\0b"}, "NUL"),
        ({"command": "x" * 100_001}, "100001 bytes long"),
        ({"command": "echo \ud83d"}, "unicode"),
        ({"command": "true", "timeout_seconds": "soon"}, "timeout_seconds"),
        ({"command": "true", "timeout_seconds": 0}, "timeout_seconds"),
        ({"command": "true", "timeout": 3}, "timeout: Extra inputs"),
    ],
)
def test_bad_input_of_bash_names_the_field(bench: Bench, given: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInput, match=word) as caught:
        bench.bash.run(given)
    assert "The fields are: command, timeout_seconds" in str(caught.value)
    assert bench.sandbox.commands == []


def test_long_output_is_shown_by_head_and_tail_and_kept(bench: Bench, outputs: Path) -> None:
    result = bench.run("seq 1 100000")
    assert len(result.text) < SHOWN + 300
    assert result.text.startswith("1\n2\n")
    assert result.text.endswith("99999\n100000\n[exit code 0]")
    kept = outputs / "output-1.txt"
    assert str(kept) in result.text
    assert kept.read_text().splitlines() == [str(number) for number in range(1, 100_001)]
    assert kept.stat().st_mode & 0o777 == 0o644


def test_a_secret_that_the_cut_would_halve_is_masked_first(bench: Bench, outputs: Path) -> None:
    text = bench.run(f"printf 'x%.0s' {{1..3990}}; echo {API_CANARY}; seq 3000").text
    assert API_CANARY[:8] not in text
    assert API_CANARY not in (outputs / "output-1.txt").read_text()


def test_fifty_megabytes_in_one_line_are_bounded(bench: Bench) -> None:
    result = bench.run("head -c 50000000 /dev/zero | tr '\\0' x")
    assert len(result.text) < SHOWN + 300
    assert "output beyond the limit was dropped" in result.text


def test_binary_output_and_escapes_are_cleaned(bench: Bench) -> None:
    result = bench.run(r"printf '\033[31mred\033[0m \xff\000 10%%\r 100%%\r\n\033]0;title\007done\033(B\n'")
    assert result.text == " 100%\ndone\n[exit code 0]"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"10%\r20%\r30%\nnext", "30%\nnext"),
        (b"kept\r\n", "kept\n"),
        (b"trailing\r", "trailing"),
        (b"tab\tand\x08bell\x07", "tab\tandbell"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPdevice\x1b\\rest", "rest"),
        (b"\xc2\x9b31mcsi", "31mcsi"),
    ],
)
def test_output_is_what_a_terminal_shows(raw: bytes, text: str) -> None:
    assert clean(raw) == text


def test_kept_outputs_are_limited_in_number(outputs: Path) -> None:
    with OutputFiles(outputs) as files:
        places = [files.keep(f"text {number}") for number in range(KEPT_FILES + 3)]
    assert sorted(path.name for path in outputs.iterdir()) == sorted(
        f"output-{number}.txt" for number in range(4, KEPT_FILES + 4)
    )
    assert places[-1].endswith(f"output-{KEPT_FILES + 3}.txt")


def test_a_kept_output_is_never_written_through_a_link(tmp_path: Path, outputs: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (outputs / "output-1.txt").symlink_to(target)
    with OutputFiles(outputs) as files:
        assert "could not be kept" in files.keep("planted")
    assert target.read_text() == "precious"


def test_a_kept_output_stays_in_its_folder_when_the_folder_is_swapped(tmp_path: Path, outputs: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    with OutputFiles(outputs) as files:
        outputs.rename(tmp_path / "moved")
        outputs.symlink_to(target)
        files.keep("text")
    assert list(target.iterdir()) == []
    assert (tmp_path / "moved" / "output-1.txt").read_text() == "text"


def test_edit_replaces_the_one_place(editing: Bench) -> None:
    path = editing.checkout / "a.py"
    path.write_text("one\ntwo\nthree\n")
    path.chmod(0o755)
    result = editing.change("a.py", "two\n", "2\n2b\n")
    assert result == ToolResult("a.py: replaced 1 lines by 2 at line 2.")
    assert path.read_text() == "one\n2\n2b\nthree\n"
    assert path.stat().st_mode & 0o777 == 0o755
    assert editing.change("./a.py", "one\n", "").text == "./a.py: replaced 1 lines by 0 at line 1."
    assert editing.change(str(path), "three", "3").is_error is False
    assert [entry.name for entry in editing.checkout.iterdir()] == ["a.py"]


def test_edit_creates_files_with_their_folders(editing: Bench) -> None:
    result = editing.change("src/new/a.py", "", "A = 1\n")
    assert result == ToolResult("src/new/a.py: created with 1 lines.")
    created = editing.checkout / "src/new/a.py"
    assert created.read_text() == "A = 1\n"
    mask = os.umask(0)
    os.umask(mask)
    assert created.stat().st_mode & 0o777 == 0o666 & ~mask


def test_edit_fills_an_empty_file_but_overwrites_none(editing: Bench) -> None:
    (editing.checkout / "__init__.py").touch(mode=0o600)
    assert editing.change("__init__.py", "", "X = 1\n").is_error is False
    assert (editing.checkout / "__init__.py").stat().st_mode & 0o777 == 0o600
    again = editing.change("__init__.py", "", "X = 2\n")
    assert again.is_error
    assert "not empty" in again.text
    assert (editing.checkout / "__init__.py").read_text() == "X = 1\n"


def test_edit_teaches_where_the_text_is_not(editing: Bench) -> None:
    path = editing.checkout / "a.py"
    path.write_text("def first():\n    return 1\n\n\ndef second():\n    return 2\n")
    white = editing.change("a.py", "def second():\n  return 2", "x")
    assert "lines from 5 on differ from it only in white space" in white.text
    like = editing.change("a.py", "def secnd():\n    return 3", "x")
    assert "line 5: 'def second():'" in like.text
    assert "Nothing in it is like it" in editing.change("a.py", "%%%%%%", "x").text
    assert "copy the text exactly" in editing.change("a.py", "\n\n\n\n\n", "x").text
    assert path.read_text().startswith("def first():")


def test_edit_says_how_often_and_where(editing: Bench) -> None:
    (editing.checkout / "a.py").write_text("x = 1\n" * 12)
    several = editing.change("a.py", "x = 1\n", "y\n")
    assert "more than once, at the lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and more" in several.text
    (editing.checkout / "b.py").write_text("aaa\n")
    assert "at the lines 1, 1;" in editing.change("b.py", "aa", "b").text
    assert "are the same" in editing.change("b.py", "aaa", "aaa").text


def test_edit_keeps_the_line_ends_of_a_file(editing: Bench) -> None:
    path = editing.checkout / "dos.txt"
    path.write_bytes(b"one\r\ntwo\r\n")
    assert editing.change("dos.txt", "one\ntwo\n", "one\nand\ntwo\n").is_error is False
    assert path.read_bytes() == b"one\r\nand\r\ntwo\r\n"
    assert editing.change("dos.txt", "and", "x\ny").is_error is False
    assert path.read_bytes() == b"one\r\nx\r\ny\r\ntwo\r\n"
    mixed = editing.checkout / "mixed.txt"
    mixed.write_bytes(b"one\r\ntwo\n\xff\n")
    assert editing.change("mixed.txt", "two\n", "2\n").is_error is False
    assert mixed.read_bytes() == b"one\r\n2\n\xff\n"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/etc/hostname", "not a path inside the checkout"),
        ("../outside", "not a path inside the checkout"),
        ("a/../../outside", "not a path inside the checkout"),
        (".", "not a path inside the checkout"),
        ("a\0b", "not a path inside the checkout"),
        (".git/config", "lies in .git"),
        ("sub/.GIT/hooks/pre-commit", "lies in .git"),
        ("link", "symbolic link"),
        ("linked/file", "symbolic link"),
        ("missing.py", "no such file"),
        ("missing/a.py", "no such file"),
        ("folder", "a folder"),
        ("pipe", "not a regular file"),
        ("folder/", "a folder"),
        ("huge", "too many to edit"),
    ],
)
def test_edit_stays_in_the_checkout(editing: Bench, tmp_path: Path, path: str, word: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("text")
    (editing.checkout / "link").symlink_to(outside / "file")
    (editing.checkout / "linked").symlink_to(outside)
    (editing.checkout / "folder").mkdir()
    os.mkfifo(editing.checkout / "pipe")
    with (editing.checkout / "huge").open("wb") as huge:
        huge.truncate(10_000_001)
    result = editing.change(path, "text", "changed")
    assert result.is_error
    assert word in result.text
    assert (outside / "file").read_text() == "text"


@pytest.mark.parametrize("path", ["linked/new.py", "link/new.py", ".git/hooks/x", "../new.py"])
def test_edit_creates_nothing_outside(editing: Bench, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (editing.checkout / "linked").symlink_to(outside)
    (editing.checkout / "link").symlink_to(outside / "new.py")
    assert editing.change(path, "", "planted").is_error
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "new.py").exists()
    assert not (editing.checkout / ".git").exists()


def test_edit_follows_no_dangling_link(editing: Bench, tmp_path: Path) -> None:
    (editing.checkout / "link").symlink_to(tmp_path / "new.py")
    assert editing.change("link", "", "planted").is_error
    assert not (tmp_path / "new.py").exists()


def test_edit_does_not_touch_the_other_name_of_a_file(editing: Bench, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.write_text("text")
    os.link(shared, editing.checkout / "a")
    editing.change("a", "text", "changed")
    assert shared.read_text() == "text"


def test_edit_that_fails_half_way_leaves_nothing_behind(tmp_path: Path, outputs: Path) -> None:
    with OutputFiles(outputs) as files:
        editing = BenchHere(tmp_path, files)
    path = editing.checkout / "a.txt"
    path.write_text("text")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        result = editing.change("a.txt", "text", "x" * 1_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result == ToolResult("a.txt was not changed: File too large.", is_error=True)
    assert path.read_text() == "text"
    assert list(editing.checkout.iterdir()) == [path]


def test_edit_runs_no_code_of_the_checkout(bench: Bench) -> None:
    for name in ("json", "difflib", "sitecustomize", "usercustomize"):
        (bench.checkout / f"{name}.py").write_text("open('ran', 'w').close()\n")
    assert bench.change("a.txt", "", "x").is_error is False
    assert not (bench.checkout / "ran").exists()


def test_edit_that_cannot_run_says_so(bench: Bench) -> None:
    broken = EditTool(bench.sandbox, bench.checkout, python="false")
    assert broken.run({"path": "a", "old": "", "new": ""}) == ToolResult("a: the edit failed: ", is_error=True)


def test_the_definitions_are_plain_sorted_and_constant(bench: Bench) -> None:
    tools = Toolbox([bench.edit, bench.bash])
    assert [tool["name"] for tool in tools.definitions] == ["bash", "edit", "submit"]
    assert json.dumps(tools.definitions) == json.dumps(Toolbox([bench.bash, bench.edit]).definitions)
    bash = tools.definitions[0]["input_schema"]
    assert isinstance(bash, dict)
    assert bash["required"] == ["command"]
    assert "title" not in json.dumps(tools.definitions)


def test_a_call_with_a_fault_does_not_run(bench: Bench) -> None:
    result = Toolbox([bench.bash]).run(ToolCall("id", "bash", {"command": "touch ran"}, fault="it was cut off"))
    assert result == ToolResult("The call did not run: it was cut off.", is_error=True)
    assert bench.sandbox.commands == []
