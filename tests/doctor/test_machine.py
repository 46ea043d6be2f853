from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration_file import load_configuration
from coordinator.doctor.confinement import (
    Confinement,
    confinement_docker,
    confinement_means,
    confinement_network,
    confinement_processes,
    confinement_self_test,
    confinement_user,
)
from coordinator.doctor.examining import NotKnown, Once
from coordinator.doctor.machine import (
    Machine,
    machine_git,
    machine_python,
    machine_temporary_folder,
    machine_tool_cache,
    machine_tools,
)
from coordinator.errors import Misconfigured
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from coordinator.settings import read_environment
from coordinator.workspace.git import Git
from tests.doctor.support import told
from tests.support import API_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.configuration import Configuration
    from coordinator.sandbox.confined import ConfinedSandbox

HERE = os.environ["PATH"]
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give commands another uid")


def machine(path: str = HERE, python: tuple[int, ...] = (3, 11, 4), **environ: str) -> Machine:
    return Machine(read_environment(environ), Git(path=path), path, python)


def fake_git(folder: Path, answer: str) -> str:
    """A program called git that says it is of some version."""
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    program.chmod(0o755)
    return f"{folder}:{HERE}"


@pytest.mark.parametrize(("version", "state"), [((3, 10, 9), "error"), ((3, 11, 0), "ok"), ((3, 14, 1), "ok")])
def test_python(version: tuple[int, ...], state: str) -> None:
    [(found, message)] = told(machine_python(machine(python=version)))
    assert found == state
    assert message.startswith(".".join(map(str, version)))


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("git version 2.30.9", "error"),
        ("git version 1.99.0", "error"),
        ("git version 2.31.0", "ok"),
        ("git version 2.50.1 (Apple Git-155)", "ok"),
        ("git version 3.0", "ok"),
        ("what", "warning"),
    ],
)
def test_git(tmp_path: Path, answer: str, state: str) -> None:
    [(found, message)] = told(machine_git(machine(fake_git(tmp_path / "bin", answer))))
    assert (found, answer in message) == (state, True)


def test_without_git() -> None:
    with pytest.raises(Misconfigured, match="git was not found"):
        told(machine_git(machine("/nonexistent")))


def test_the_shell_and_what_installs(tmp_path: Path) -> None:
    [(state, message)] = told(machine_tools(machine("/nonexistent")))
    assert (state, message) == ("error", "there is no sh on the PATH")
    shell = shutil.which("sh")
    assert shell is not None
    (tmp_path / "sh").symlink_to(shell)
    assert told(machine_tools(machine(str(tmp_path)))) == [("ok", "sh; packages are installed with pip")]
    (tmp_path / "uv").symlink_to(shell)
    assert told(machine_tools(machine(str(tmp_path)))) == [
        ("ok", f"sh; packages are installed with uv ({tmp_path}/uv)")
    ]


def test_the_temporary_folder(tmp_path: Path) -> None:
    [(state, message)] = told(machine_temporary_folder(machine(RUNNER_TEMP=str(tmp_path))))
    assert state in {"ok", "warning"}
    assert re.match(rf"{tmp_path}(,| has only) [\d,]+ MB free", message)
    assert list(tmp_path.iterdir()) == []
    [(state, message)] = told(machine_temporary_folder(machine(RUNNER_TEMP=str(tmp_path / "gone"))))
    assert (state, message) == ("error", f"{tmp_path}/gone cannot be written (No such file or directory)")


def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    fussy = replace(machine(RUNNER_TEMP=str(tmp_path)), little_room=1 << 70)
    [(state, message)] = told(machine_temporary_folder(fussy))
    assert state == "warning"
    assert " has only " in message


def test_a_tool_cache_is_for_runners() -> None:
    assert [state for state, _ in told(machine_tool_cache(machine()))] == ["ok"]
    assert [state for state, _ in told(machine_tool_cache(machine(GITEA_ACTIONS="true")))] == ["warning"]


def test_a_tool_cache_that_is_kept_holds_something(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "new" / "one"):
        [(state, message)] = told(machine_tool_cache(machine(RUNNER_TOOL_CACHE=str(folder))))
        assert state == "warning"
        assert f"({folder}) is empty" in message
    assert not (tmp_path / "new").exists()
    (tmp_path / "coordinator").mkdir()
    assert [state for state, _ in told(machine_tool_cache(machine(RUNNER_TOOL_CACHE=str(tmp_path))))] == ["ok"]


def test_a_tool_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [(state, message)] = told(machine_tool_cache(machine(RUNNER_TOOL_CACHE=str(tmp_path / "file" / "cache"))))
    assert state == "error"
    assert "cannot be written" in message


# The confinement.


@pytest.fixture
def sandbox() -> Iterator[ConfinedSandbox]:
    with open_sandbox(visible=interpreter_paths()) as sandbox:
        yield sandbox


def confinement(
    sandbox: ConfinedSandbox | None,
    *,
    secrets: tuple[str, ...] = (),
    in_runner: bool = True,
    configuration: str | None = "",
    sockets: tuple[str, ...] = (),
) -> Confinement:
    def opened() -> ConfinedSandbox:
        if sandbox is None:
            raise Misconfigured("there is none", mend="Make one")
        return sandbox

    def configured() -> Configuration:
        return load_configuration(None if configuration is None else configuration.encode(), file="x")

    return Confinement(
        sandbox=Once("the sandbox", opened),
        secrets=secrets,
        in_runner=in_runner,
        configuration=Once("the configuration", configured),
        uid=os.geteuid(),
        sockets=sockets,
    )


@only_root
def test_root_has_the_whole_confinement(sandbox: ConfinedSandbox) -> None:
    given = confinement(sandbox)
    assert told(confinement_user(given)) == [("ok", "root, so confined commands can get a uid of their own")]
    assert told(confinement_means(given)) == [("ok", sandbox.description)]
    assert [state for state, _ in told(confinement_self_test(given))] == ["ok"]
    assert [state for state, _ in told(confinement_network(given))] == [
        "ok" if sandbox.means.holds_network else "warning"
    ]
    assert [state for state, _ in told(confinement_processes(given))] == [
        "ok" if sandbox.means.hides_processes else "warning"
    ]


def give_up(sandbox: ConfinedSandbox) -> None:
    """Let the sandbox be what it is on a machine that allows nothing."""
    if sandbox.means.lease is not None:
        sandbox.means.lease.release()
    sandbox.means = replace(sandbox.means, lease=None, holds_network=False, hides_processes=False)


def test_a_machine_that_allows_nothing(sandbox: ConfinedSandbox) -> None:
    give_up(sandbox)
    given = replace(confinement(sandbox), uid=1000)
    assert told(confinement_user(given)) == [("warning", "uid 1000, not root: confined commands share it")]
    assert told(confinement_means(given)) == [("warning", sandbox.description)]
    assert [state for state, _ in told(confinement_network(given))] == ["warning"]
    assert [state for state, _ in told(confinement_processes(given))] == ["warning"]


def test_what_stands_in_the_way_of_a_sandbox_is_told_once() -> None:
    given = confinement(None)
    with pytest.raises(Misconfigured, match="there is none"):
        told(confinement_means(given))
    for look in (confinement_self_test, confinement_network, confinement_processes, confinement_docker):
        with pytest.raises(NotKnown, match="the sandbox"):
            told(look(given))


@contextmanager
def careless_process() -> Iterator[int]:
    """Run another program with the key on its command line, which every user can read; give its process id."""
    nap = [sys.executable, "-c", "import time; time.sleep(600)", API_CANARY]
    with subprocess.Popen(nap, env={}) as process:
        try:
            yield process.pid
        finally:
            process.kill()


UNCONFINED = "sandbox: {allow_unconfined: true}"


@pytest.mark.parametrize(
    ("in_runner", "configuration", "expected"),
    [
        (True, "", "error"),
        (True, "attempts: none", "error"),
        (True, UNCONFINED, "warning"),
        (False, "", "warning"),
        (False, "attempts: none", "warning"),
    ],
)
def test_a_secret_that_commands_could_read(
    sandbox: ConfinedSandbox, in_runner: bool, configuration: str, expected: str
) -> None:
    sandbox.means = replace(sandbox.means, hides_processes=False)
    given = confinement(sandbox, secrets=(API_CANARY,), in_runner=in_runner, configuration=configuration)
    with careless_process() as pid:
        [finding] = confinement_self_test(given)
    assert finding.state == expected
    assert finding.message == f"a confined command can read a secret in /proc/{pid}/cmdline"
    assert API_CANARY not in str(finding)


@only_root
def test_a_coordinator_whose_memory_is_open_is_an_error_even_for_a_person() -> None:
    """The commands are root like the coordinator, and nothing hides it."""
    with open_sandbox(visible=interpreter_paths()) as sandbox:
        give_up(sandbox)
        [(state, message)] = told(confinement_self_test(confinement(sandbox, in_runner=False)))
    assert (state, message) == ("error", "a confined command can read a secret in memory of the coordinator")


@pytest.fixture
def engine() -> Iterator[Path]:
    """A container engine's socket in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        Path(folder).chmod(0o755)
        path = Path(folder) / "engine.sock"
        listener.bind(str(path))
        listener.listen()
        yield path


@pytest.mark.parametrize(("in_runner", "expected"), [(True, "error"), (False, "warning")])
def test_a_container_engine_that_commands_could_use(
    sandbox: ConfinedSandbox, engine: Path, in_runner: bool, expected: str
) -> None:
    engine.chmod(0o666)
    [(state, message)] = told(
        confinement_docker(confinement(sandbox, in_runner=in_runner, sockets=("/x", str(engine))))
    )
    assert (state, message) == (expected, f"a confined command can use {engine}, which makes it root on this machine")


@only_root
def test_a_container_engine_that_only_root_can_use(sandbox: ConfinedSandbox, engine: Path) -> None:
    engine.chmod(0o660)
    assert [state for state, _ in told(confinement_docker(confinement(sandbox, sockets=(str(engine),))))] == ["ok"]


def test_an_attempt_to_connect_that_comes_to_nothing(sandbox: ConfinedSandbox) -> None:
    given = replace(confinement(sandbox), python="/nonexistent/python")
    assert [state for state, _ in told(confinement_docker(given))] == ["warning"]
