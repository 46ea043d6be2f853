"""What a command gets, and what comes back."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.sandbox.protocol import Command, Limits
from tests.sandbox.support import IS_ROOT, python, sh

if TYPE_CHECKING:
    from coordinator.sandbox.confined import ConfinedSandbox
    from coordinator.sandbox.protocol import Sandbox


def test_output_exit_code_and_time_come_back(sandbox: Sandbox) -> None:
    result = sh(sandbox, "echo out; echo err >&2; exit 7")
    assert (result.stdout, result.stderr, result.exit_code) == (b"out\n", b"err\n", 7)
    assert (result.signal, result.timed_out, result.truncated, result.ok) == (None, False, False, False)
    assert 0 < result.seconds < 10


def test_a_signal_is_no_exit_code(sandbox: Sandbox) -> None:
    result = sh(sandbox, "kill -SEGV $$")
    assert (result.exit_code, result.signal, result.timed_out) == (None, signal.SIGSEGV, False)


def test_standard_error_can_be_merged_in_the_order_written(sandbox: Sandbox) -> None:
    result = sh(sandbox, "for i in 1 2 3; do echo o$i; echo e$i >&2; done", merge_stderr=True)
    assert result.stdout.split() == [b"o1", b"e1", b"o2", b"e2", b"o3", b"e3"]
    assert result.stderr == b""


def test_standard_input_is_given_and_ends(sandbox: Sandbox) -> None:
    data = os.urandom(300_000)
    assert sh(sandbox, "cat", stdin=data).stdout == data
    assert sh(sandbox, "cat; echo end").stdout == b"end\n"


def test_streams_can_be_opened_by_name(sandbox: Sandbox) -> None:
    result = sh(sandbox, "cat /dev/stdin > /dev/stdout; echo e | tee /dev/stderr", stdin=b"in\n")
    assert (result.stdout, result.stderr) == (b"in\ne\n", b"e\n")


def test_a_command_starts_in_its_folder_and_writes_there(sandbox: ConfinedSandbox) -> None:
    folder = sandbox.make_folder("work")
    assert sh(sandbox, "pwd; umask; echo text > file", cwd=folder).stdout == f"{folder}\n0022\n".encode()
    assert (folder / "file").read_bytes() == b"text\n"
    assert (folder.stat().st_mode & 0o777) == 0o700


def test_a_missing_program_is_the_commands_own_failure(sandbox: Sandbox) -> None:
    for argv, code, reason in (
        (("no-such-program",), 127, "No such file"),
        (("/etc/passwd/x",), 127, "Not a directory"),
        (("/etc/passwd",), 126, "Permission denied"),
        (("echo", "nul\0byte"), 126, "embedded null byte"),
        (("echo", "x" * 200_000), 126, "Argument list too long"),
    ):
        result = sandbox.run(Command(argv=argv, cwd=Path("/"), limits=Limits(seconds=9)))
        assert result.exit_code == code
        assert result.stderr.startswith(f"coordinator: cannot run {argv[0]}: ".encode())
        assert reason.encode() in result.stderr


def test_a_missing_folder_is_the_commands_own_failure(sandbox: Sandbox) -> None:
    result = sh(sandbox, "true", cwd=Path("/no/such/folder"))
    assert result.exit_code == 126
    assert result.stderr == b"coordinator: cannot enter /no/such/folder: No such file or directory\n"


def test_arguments_and_variables_need_not_be_text(sandbox: Sandbox) -> None:
    name = os.fsdecode(b"\xff\xfe")
    result = sandbox.run(
        Command(argv=("sh", "-c", 'echo "$1 $V"', "sh", name), cwd=Path("/"), limits=Limits(seconds=9), env={"V": name})
    )
    assert result.stdout == b"\xff\xfe \xff\xfe\n"


def test_the_environment_is_an_allow_list(sandbox: ConfinedSandbox) -> None:
    lines = sh(sandbox, "env -0", env={"EXTRA": "1", "LANG": "C"}).stdout.decode().split("\0")
    seen = dict(line.split("=", 1) for line in lines if line)
    own = {"PWD", "SHLVL", "_", "OLDPWD"}
    assert set(seen) - own == {
        "CI", "EXTRA", "GIT_CONFIG_NOSYSTEM", "GIT_PAGER", "GIT_TERMINAL_PROMPT", "HOME", "LANG", "LOGNAME", "PAGER",
        "PATH", "TMPDIR", "USER",
    }  # fmt: skip
    assert seen["EXTRA"] == "1"
    assert seen["LANG"] == "C"
    for name in ("HOME", "TMPDIR"):
        assert Path(seen[name]).is_relative_to(sandbox.root)
    assert sh(sandbox, 'touch "$HOME/a" "$TMPDIR/b"').ok


def test_a_command_has_no_descriptor_but_its_streams(sandbox: Sandbox) -> None:
    assert sh(sandbox, "exec /bin/ls /proc/self/fd", stdin=b"x").stdout.split() == [b"0", b"1", b"2", b"3"]


def test_no_signal_is_ignored_or_blocked(sandbox: Sandbox) -> None:
    fields = dict(line.split(b":\t", 1) for line in sh(sandbox, "exec cat /proc/self/status").stdout.splitlines())
    own_of_libc = 1 << 31 | 1 << 32  # signals 32 and 33, which no program can set (signal(7), "Real-time signals")
    assert int(fields[b"SigIgn"], 16) & ~own_of_libc == 0
    assert int(fields[b"SigBlk"], 16) == 0


def test_a_command_has_no_privileges_and_gets_none(sandbox: ConfinedSandbox) -> None:
    fields = dict(line.split(b":\t", 1) for line in sh(sandbox, "exec cat /proc/self/status").stdout.splitlines())
    assert fields[b"NoNewPrivs"] == b"1"
    for name in (b"CapInh", b"CapPrm", b"CapEff", b"CapAmb"):
        assert int(fields[name], 16) == 0
    uid = os.geteuid() if sandbox.means.uid is None else sandbox.means.uid
    assert fields[b"Uid"].split() == [str(uid).encode()] * 4
    if IS_ROOT:
        assert fields[b"Gid"].split() == [str(uid).encode()] * 4
        assert fields[b"Groups"].split() == []


def test_a_command_leads_a_session_of_its_own(sandbox: Sandbox) -> None:
    result = python(sandbox, "import os; print(os.getsid(0) == os.getpid() != os.getppid())")
    assert result.stdout == b"True\n"


def test_commands_run_side_by_side_and_end_only_their_own(sandbox: Sandbox) -> None:
    def one(number: int) -> tuple[bytes, bool]:
        if number % 2:
            result = sh(sandbox, f"sleep 30 & echo {number}; sleep 30", limits=Limits(seconds=0.3))
        else:
            result = sh(sandbox, f"sleep 1.2 & wait; echo {number}")
        return result.stdout.strip(), result.timed_out

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(one, range(8)))
    assert results == [(str(number).encode(), bool(number % 2)) for number in range(8)]


@pytest.mark.parametrize("name", ["sandbox"])
def test_the_description_is_one_line(name: str, request: pytest.FixtureRequest) -> None:
    sandbox: ConfinedSandbox = request.getfixturevalue(name)
    assert "\n" not in sandbox.description
    assert sandbox.means.side in sandbox.description
