"""Hostile Python projects, judged by the real tools in the real sandbox: each ends in time, and none is accepted.

What cannot be believed is an ``error``; a ``failed`` has a proof. Afterwards no process and no file of the tree is
left, and the same coordinator judges an honest tree to green.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import pytest

from coordinator.configuration import GatesSection
from coordinator.gates.python.pytest_run import TEMPORARY
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from tests.gates.hostile import OFF, PROJECT, Arena, by_name, states, within
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = os.geteuid() == 0
PROCESSES = 200
FORKS = 300
"""More than the sandbox allows, and few enough that a missing limit harms nobody."""


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("arena")
    with open_sandbox(folder=folder, visible=interpreter_paths(), processes=PROCESSES) as sandbox:
        arena = Arena(sandbox, folder)
        yield arena
        arena.assert_unharmed()


def hostile(test: str) -> dict[str, str]:
    """Return the project with a test that first tests all of it, so that nothing but the trick stands in the way."""
    return {**PROJECT, "tests/test_trick.py": test}


def test_a_test_that_hangs_and_leaves_a_daemon_is_ended(arena: Arena) -> None:
    test = (
        "import os\nimport signal\nimport time\n\n\ndef test_hang() -> None:\n"
        "    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):\n"
        "        signal.signal(number, signal.SIG_IGN)\n"
        "    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            time.sleep(3600)\n"
        "        os._exit(0)\n    while True:\n        time.sleep(1)\n"
    )
    results = arena.judge(hostile(test), within(0.1))
    assert states(results) == {"test": "error", "coverage": "error"}
    assert "reached its time limit during tests/test_trick.py::test_hang" in results["test"].message


@pytest.mark.skipif(not ROOT, reason="only a uid of its own has a limit of its own")
def test_a_fork_bomb_reaches_the_limit_of_processes(arena: Arena) -> None:
    test = (
        "import os\nimport time\n\n\ndef test_bomb() -> None:\n"
        f"    for _ in range({FORKS}):\n        if os.fork() == 0:\n            time.sleep(3600)\n"
    )
    results = arena.judge(hostile(test), within(2))
    assert states(results) == {"test": "failed", "coverage": "passed"}
    assert "Resource temporarily unavailable" in str(results["test"].details["findings"])


def test_ten_gigabytes_of_output_are_not_kept(arena: Arena) -> None:
    test = (
        "import os\n\n\ndef test_talk() -> None:\n    chunk = b'x' * (1 << 20)\n"
        "    for _ in range(10_240):\n        rest = chunk\n"
        "        while rest:\n            rest = rest[os.write(1, rest):]\n    assert False\n"
    )
    results = arena.judge(hostile(test), within(5, "-s"))
    assert states(results) == {"test": "failed", "coverage": "passed"}


def test_a_file_of_ten_gigabytes_cannot_be_written(arena: Arena) -> None:
    test = (
        "import os\nimport tempfile\nfrom pathlib import Path\n\nimport pytest\n\n\n"
        "@pytest.mark.parametrize('folder', ['.', tempfile.gettempdir()])\n"
        "def test_fill(folder: str) -> None:\n    with Path(folder, 'large').open('wb') as file:\n"
        "        os.truncate(file.fileno(), 10 << 30)\n"
    )
    results = arena.judge(hostile(test), within(2))
    assert states(results) == {"test": "failed", "coverage": "passed"}
    assert str(results["test"].details["findings"]).count("File too large") == 2


AT_EXIT = """
import atexit
import os
import sys
from pathlib import Path

REPORTS = Path(next(each for each in sys.orig_argv if each.startswith("--junitxml=")).partition("=")[2]).parent
SUITE = "<testsuites><testsuite>%s</testsuite></testsuites>"
ENTITIES = "".join(f'<!ENTITY e{{n + 1}} "{{f"&e{{n}};" * 10}}">' for n in range(12))
BOMB = f'<!DOCTYPE a [<!ENTITY e0 "lol">{{ENTITIES}}]>' + SUITE % "<testcase>&e12;</testcase>"
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + SUITE % "<testcase name='a'/>"
TARGET = Path({target!r})


def fresh(name):
    path = REPORTS / name
    path.unlink(missing_ok=True)
    return path


def trick():
    {trick}


@atexit.register
def last():
    try:
        trick()
    finally:
        os._exit({code})


def test_nothing():
    pass
"""
"""What is done when pytest and coverage have written everything, in the process that has the last word."""


def at_exit(trick: str, *, target: str = "", code: int = 0) -> str:
    """Return a test module that plays a trick in the very end, and what exit code it gives."""
    return AT_EXIT.format(trick=trick, target=target, code=code)


NO_REPORT = "pytest wrote no report"
DOCUMENT_TYPE = "declares a document type"
REPORT_TRICKS = {
    "fifo": ("os.mkfifo(fresh('junit.xml'))", NO_REPORT),
    "link": ("fresh('junit.xml').symlink_to(TARGET)", NO_REPORT),
    "folder": ("fresh('junit.xml').mkdir()", NO_REPORT),
    "none": ("fresh('junit.xml')", NO_REPORT),
    "huge": ("os.truncate(REPORTS / 'junit.xml', 129 << 20)", NO_REPORT),
    "deep": ("fresh('junit.xml').write_text('<a>' * 1_000_000)", "more than 100 elements within each other"),
    "many": ("fresh('junit.xml').write_text(SUITE % ('<testcase/>' * 600_000))", "holds more than 500000 tests"),
    "bomb": ("fresh('junit.xml').write_text(BOMB)", DOCUMENT_TYPE),
    "outside": ("fresh('junit.xml').write_text(OUTSIDE)", DOCUMENT_TYPE),
    "noise": ("fresh('junit.xml').write_bytes(os.urandom(1000))", "is no XML"),
    "forged": ("fresh('junit.xml').write_text(SUITE % '<testcase classname=\"a\" name=\"a\"/>')", "must fail"),
}


@pytest.mark.parametrize("name", REPORT_TRICKS)
def test_a_report_that_the_tests_put_there_is_not_believed(arena: Arena, name: str) -> None:
    trick, message = REPORT_TRICKS[name]
    target = arena.folder / "target.xml"
    target.write_text("<testsuite><testcase name='a'/></testsuite>")
    target.chmod(0o644)
    results = arena.judge(hostile(at_exit(trick, target=str(target))), within(1))
    assert results["test"].details["state"] == "error"
    assert message in results["test"].message
    assert "testcase" in target.read_text()


NO_PLAIN_FILE = "is no plain file"
DATA_TRICKS = {
    "fifo": ("os.mkfifo(fresh('coverage.data'))", NO_PLAIN_FILE),
    "link": ("fresh('coverage.data').symlink_to('/etc/passwd')", NO_PLAIN_FILE),
    "loop": ("fresh('coverage.data').symlink_to('coverage.data')", NO_PLAIN_FILE),
    "folder": ("fresh('coverage.data').mkdir()", NO_PLAIN_FILE),
    "part": ("os.mkfifo(REPORTS / 'coverage.data.host.1.x')", NO_PLAIN_FILE),
    "none": ("fresh('coverage.data')", "gave no usable result"),
    "noise": ("fresh('coverage.data').write_bytes(os.urandom(100_000))", "gave no usable result"),
}


@pytest.mark.parametrize("name", DATA_TRICKS)
def test_data_of_coverage_that_the_tests_put_there_is_not_believed(arena: Arena, name: str) -> None:
    trick, message = DATA_TRICKS[name]
    results = arena.judge(hostile(at_exit(trick)), within(1))
    assert results["coverage"].details["state"] == "error"
    assert message in results["coverage"].message


HALF = {
    **PROJECT,
    "tests/test_toy.py": "from toy import double\n\n\ndef test_double() -> None:\n    assert double(2) == 4\n",
}
"""75 % of it is covered, and 85 % is asked for."""

FORGED = (
    "import coverage\n    data = coverage.CoverageData(str(REPORTS / 'coverage.data'))\n    data.read()\n"
    "    data.add_lines({name: range(1, 100) for name in data.measured_files()})\n    data.write()"
)


def test_data_of_coverage_that_is_forged_needs_a_person(arena: Arena) -> None:
    """Nobody can tell it from data that is true; but how it got there shows in the change."""
    repository = make_repository(arena.folder / "forging", HALF)
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, {"tests/test_trick.py": at_exit(FORGED, code=1)})
    results = by_name(arena.verdict(repository, GatesSection(build=OFF, lint=OFF), base))
    kinds = {finding["kind"] for finding in cast("list[dict[str, object]]", results["integrity"].details["findings"])}
    assert results["integrity"].details["state"] == "attention"
    assert {"atexit", "process-exit", "runner-internals"} <= kinds


def test_a_link_in_place_of_the_tests_own_folder_is_not_followed(arena: Arena) -> None:
    target = arena.folder / "target"
    (target / "closed").mkdir(parents=True)
    (target / "closed").chmod(0o500)
    trick = f"os.path.exists(REPORTS / {TEMPORARY!r}) and os.rename(REPORTS / {TEMPORARY!r}, REPORTS / 'moved')"
    results = arena.judge(
        hostile(at_exit(f"{trick}; (REPORTS / {TEMPORARY!r}).symlink_to(TARGET)", target=str(target))), within(1)
    )
    assert states(results) == {"test": "error", "coverage": "passed"}
    assert (target / "closed").stat().st_mode & 0o777 == 0o500


PLANTED = {
    "data": {".coverage": "SQLite format 3\0", "coverage.data": "SQLite format 3\0", "coverage.json": "{}"},
    "site": {
        f"{folder}sitecustomize.py": "import os\nimport atexit\natexit.register(os._exit, 0)\nimport coverage\n"
        "coverage.Coverage.start = lambda *_: None\n"
        for folder in ("", "tests/")
    },
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_in_the_tree_has_no_effect(arena: Arena, name: str) -> None:
    results = arena.judge({**HALF, **PLANTED[name]}, within(1))
    assert states(results) == {"test": "passed", "coverage": "failed"}
    assert "75.00 % of toy" in results["coverage"].message
