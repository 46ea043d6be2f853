from __future__ import annotations

import os
import subprocess
import sys

import pytest

from coordinator.state.process import process_is_gone, this_process

pytestmark = pytest.mark.skipif(not this_process(), reason="this system does not say which process is which")


def with_numbers(pid: int | str, start: int | str) -> str:
    place = this_process().rsplit("/", 2)[0]
    return f"{place}/{pid}/{start}"


def start_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123  (a file of the system)
        return file.read().rpartition(")")[2].split()[19]


def test_this_process_is_there() -> None:
    assert this_process() == this_process()
    assert this_process().split("/")[-2] == str(os.getpid())
    assert process_is_gone(this_process()) is False


def test_a_process_that_has_ended_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE)
    name = with_numbers(child.pid, start_of(child.pid))
    assert process_is_gone(name) is False
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_is_gone(name) is True  # nobody has looked at its end yet
    child.communicate()
    assert process_is_gone(name) is True


def test_another_process_with_its_number_is_not_it() -> None:
    assert process_is_gone(with_numbers(os.getpid(), 1)) is True


def test_a_process_of_another_user_is_there() -> None:
    assert process_is_gone(with_numbers(1, start_of(1))) is False


@pytest.mark.parametrize(
    "name",
    [
        "",
        "host",
        "other-host/boot/pid:[1]/1/1",
        this_process().replace(this_process().split("/")[1], "another-boot"),
        this_process().replace("pid:[", "pid:[1"),
        with_numbers("x", 1),
        with_numbers("", 1),
        with_numbers(10**30, 1),
        with_numbers(0, 1),
    ],
)
def test_what_cannot_be_seen_from_here_is_unknown(name: str) -> None:
    assert process_is_gone(name) is None
