from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from coordinator.errors import Misconfigured
from coordinator.workspace.commit import COORDINATOR
from coordinator.workspace.git import DEFAULT_PATH, Git, GitCall, GitFailed
from tests.support import FORGE_CANARY, commit_files, git, make_repository
from tests.workspace.test_objects import poison


def shell(script: str, **options: object) -> GitCall:
    """A call in which `git probe` runs a shell command."""
    return GitCall(config=(f"alias.probe=!{script}",), **options)  # type: ignore[arg-type]  # as GitCall has them


def test_the_environment_is_made_from_nothing() -> None:
    seen = Git().run("probe", call=shell("env")).decode().splitlines()
    names = {line.partition("=")[0] for line in seen}
    inherited = names & set(os.environ) - {"PATH", "HOME", "PWD", "LC_ALL", "_", "SHLVL", "OLDPWD"}
    assert not {name for name in inherited if not name.startswith("GIT_")}
    assert {"HOME=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=none"} <= set(seen)


def test_of_the_operators_settings_only_those_for_the_network_pass() -> None:
    offered = {"https_proxy": "http://proxy", "GIT_SSL_CAINFO": "/ca", "GIT_DIR": "/x", "LD_PRELOAD": "/evil.so"}
    environment = Git(network=offered).environment(GitCall())
    assert environment["https_proxy"] == "http://proxy"
    assert environment["GIT_SSL_CAINFO"] == "/ca"
    assert not {"GIT_DIR", "LD_PRELOAD"} & set(environment)


def test_a_calls_own_variables_cannot_undo_the_fixed_ones() -> None:
    environment = Git().environment(GitCall(env={"GIT_CONFIG_NOSYSTEM": "0", "GIT_INDEX_FILE": "/i"}))
    assert environment["GIT_CONFIG_NOSYSTEM"] == "1"
    assert environment["GIT_INDEX_FILE"] == "/i"


def test_a_secret_setting_reaches_git_but_not_its_command_line() -> None:
    call = GitCall(secret_config=[("http.extraHeader", FORGE_CANARY)])
    assert FORGE_CANARY not in " ".join(Git.argv(("config", "http.extraHeader"), call))
    assert Git().run("config", "http.extraHeader", call=call).decode().strip() == FORGE_CANARY


def test_a_failure_names_command_code_and_first_telling_line_without_secrets() -> None:
    call = shell(
        f"echo hint: no >&2; echo 'fatal: {FORGE_CANARY} at https://u:p@h' >&2; echo error: later >&2; exit 3",
        secret_config=[("x.y", f"Authorization: token {FORGE_CANARY}")],
    )
    with pytest.raises(GitFailed) as caught:
        Git().run("probe", call=call)
    failure = caught.value
    assert failure.exit_code == 3
    assert str(failure) == "git probe failed (exit code 3): fatal: *** at https://***@h"
    assert FORGE_CANARY not in repr(failure) + failure.stderr + repr(vars(failure))


def test_a_failure_without_a_word_says_so() -> None:
    with pytest.raises(GitFailed, match=r"exit code 1\): no message"):
        Git().run("probe", call=shell("exit 1"))


def test_an_accepted_exit_code_is_no_failure() -> None:
    assert Git().run("probe", call=shell("echo x; exit 1", accept=(0, 1))) == b"x\n"


def wait_until_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("held", ["", "exec >&-"], ids=["output open", "output closed"])
def test_the_time_limit_ends_the_command_and_its_children(tmp_path: Path, held: str) -> None:
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\n{held}\nsleep 60 & echo $! > {tmp_path}/pid\nwait\n")
    program.chmod(0o755)
    started = time.monotonic()
    with pytest.raises(GitFailed, match="time limit") as caught:
        Git(path=f"{tmp_path}:{DEFAULT_PATH}").run("fetch", call=GitCall(seconds=0.4))
    assert time.monotonic() - started < 10
    assert caught.value.timed_out
    assert wait_until_gone(int((tmp_path / "pid").read_text()))


def test_an_interruption_leaves_no_process(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        with pytest.raises(KeyboardInterrupt):
            Git().run("probe", call=shell(f"echo $$ > {tmp_path}/pid; sleep 60"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert wait_until_gone(int((tmp_path / "pid").read_text()))


def test_output_is_cut_off_and_the_command_ended() -> None:
    started = time.monotonic()
    assert Git().run("probe", call=shell("yes", output_bytes=10)) == b"y\n" * 5
    assert time.monotonic() - started < 10


def test_output_of_exactly_the_bound_is_whole() -> None:
    assert Git().run("probe", call=shell("printf 12345", output_bytes=5)) == b"12345"
    with pytest.raises(GitFailed):
        Git().run("probe", call=shell("printf 12345; exit 1", output_bytes=5))


def test_standard_input_can_be_larger_than_any_pipe() -> None:
    data = b"x" * 3_000_000
    assert Git().run("probe", call=shell("cat", stdin=data)) == data


def test_much_standard_error_blocks_nothing() -> None:
    with pytest.raises(GitFailed) as caught:
        Git().run("probe", call=shell("head -c 1000000 /dev/zero | tr '\\0' e >&2; exit 1"))
    assert len(caught.value.stderr) <= 64 * 1024
    assert len(caught.value.reason) == 300


def test_a_stream_is_read_while_it_runs_and_failure_is_seen_at_its_end() -> None:
    with Git().stream("probe", call=shell("echo a; echo b")) as stream:
        assert stream.read() == b"a\nb\n"
    with Git().stream("probe", call=shell("yes")) as stream:
        assert stream.readline() == b"y\n"
    with pytest.raises(GitFailed), Git().stream("probe", call=shell("echo a; exit 1")) as stream:
        assert stream.read() == b"a\n"


def test_the_size_of_written_files_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(GitFailed):
        Git().run("probe", call=shell(f"exec yes > {tmp_path}/big", written_file_bytes=102_400, seconds=20))
    assert (tmp_path / "big").stat().st_size == 102_400


def test_no_git_on_the_path_is_told_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="Install git"):
        Git(path=str(tmp_path)).run("version")


def test_no_repository_is_found_by_chance(tmp_path: Path) -> None:
    make_repository(tmp_path / "r", {"a": "b"})
    with pytest.raises(GitFailed, match="not a git repository"):
        Git().run("rev-parse", "HEAD", call=GitCall(cwd=tmp_path / "r"))


def test_even_commands_that_use_a_work_tree_run_nothing_of_the_repository(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    folder = make_repository(tmp_path / "r", {"a": "1\n"})
    poison(folder, marker)
    (folder / ".git" / "info" / "attributes").unlink()  # filters are out of reach of settings: nothing here uses them
    (folder / "a").write_text("2\n")
    call = GitCall(repository=folder / ".git", work_tree=folder, cwd=folder, env=COORDINATOR.environment)
    for command in (("status",), ("add", "--all"), ("commit", "--quiet", "--message", "x"), ("checkout", "-b", "y")):
        Git().run(*command, call=call)
    assert not marker.exists()


def test_replaced_objects_are_not_believed(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"a": "true\n"})
    honest = git(folder, "rev-parse", "HEAD:a")
    commit_files(folder, {"a": "forged\n"})
    git(folder, "replace", honest, git(folder, "rev-parse", "HEAD:a"))
    assert git(folder, "cat-file", "blob", honest) == "forged"
    call = GitCall(repository=folder / ".git")
    assert Git().run("cat-file", "blob", honest, call=call) == b"true\n"
