"""The base's own tests: run once, remembered, and the measure of how strict pytest may be."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.cache.kept_files import KeptFiles
from coordinator.gates.integrity.base_records import BaseRecord, BaseRecords
from coordinator.gates.integrity.base_run import BaseRun, content_digest
from coordinator.gates.integrity.testbed import Testbed
from coordinator.gates.once import Once
from coordinator.gates.tree import export_tree
from coordinator.sandbox.protocol import Network
from tests.gates.integrity.dynamic_support import BASE, PYPROJECT, TEST, judge_change, kinds, notes, state
from tests.gates.support import PlainSandbox, exporter, own_environment, result_of
from tests.support import git, make_repository, write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PASSED = {
    "tests/test_calc.py::test_divide": "passed",
    "tests/test_calc.py::test_small[1]": "passed",
    "tests/test_calc.py::test_small[2]": "passed",
    "tests/test_calc.py::test_small[3]": "passed",
    "tests/test_calc.py::test_big": "passed",
}


def a_bed(folder: Path, files: Mapping[str, str], minutes: float = 1.0) -> tuple[Testbed, PlainSandbox]:
    repository = make_repository(folder / "repository", files)
    home = folder / "home"
    home.mkdir()
    sandbox = PlainSandbox(home)
    head = git(repository, "rev-parse", "HEAD")
    tree = export_tree(exporter(repository), head, head, sandbox)
    environment = Once(lambda: own_environment(sandbox, folder / "cache"))
    return Testbed(tree, environment, sandbox, minutes, (), Network.NONE), sandbox


def a_run(bed: Testbed, records: BaseRecords) -> BaseRun:
    assert bed.tree.base is not None
    return BaseRun(bed, bed.tree.base, records)


def runs(sandbox: PlainSandbox) -> int:
    return sum("coordinator_pytest" in command.argv for command in sandbox.commands)


def test_what_the_base_s_tests_say_is_found_once_and_kept(tmp_path: Path) -> None:
    bed, sandbox = a_bed(tmp_path, BASE)
    files = KeptFiles(tmp_path / "kept")
    run = a_run(bed, BaseRecords(files))
    assert run.known() is None
    record = run.record()
    assert record.outcomes == PASSED
    assert (record.strict, record.doubt, record.fault) == (True, "", "")
    assert record.seconds > 0
    assert run.record() is record
    later = a_run(bed, BaseRecords(files))
    assert later.known() == record
    assert later.record() == record
    assert runs(sandbox) == 1
    run.remove()
    assert {path.name.partition("-")[0] for path in sandbox.home.iterdir()} == {"judged"}


def test_another_question_has_another_answer(tmp_path: Path) -> None:
    """Files, arguments, environment, confinement and time: whatever could change what the tests say."""
    bed, sandbox = a_bed(tmp_path, BASE)
    records = BaseRecords()
    environment = bed.environment.get()
    other = tmp_path / "other"
    write_files(other, BASE)
    beds = [
        replace(bed, args=("-x",)),
        replace(bed, network=Network.OPEN),
        replace(bed, minutes=2.0),
        replace(bed, sandbox=PlainSandbox(sandbox.home, description="another uid")),
        replace(bed, environment=Once(lambda: replace(environment, distributions={"pytest": "0"}))),
        replace(bed, environment=Once(lambda: replace(environment, version=(3, 99)))),
    ]
    keys = {a_run(each, records)._key() for each in (bed, bed, *beds)}
    assert len(keys) == len(beds) + 1
    assert BaseRun(bed, other, records)._key() in keys
    (other / "calc.py").chmod(0o755)
    assert BaseRun(bed, other, records)._key() not in keys


def test_the_digest_tells_every_file_and_link(tmp_path: Path) -> None:
    write_files(tmp_path / "one", {"a": "1", "b/c": "2"})
    digests = {content_digest(tmp_path / "one")}
    for number, change in enumerate(("a", "b/d", "link", "folder")):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "one", folder)
        if change in {"link", "folder"}:
            (folder / change).symlink_to("a" if change == "link" else "b")
        else:
            (folder / change).write_text("3")
        digests.add(content_digest(folder))
    assert len(digests) == 5
    assert content_digest(shutil.copytree(tmp_path / "3", tmp_path / "copy", symlinks=True)) in digests


@pytest.mark.parametrize(
    "content",
    [
        b"no json",
        b'{"key": "other", "record": {"outcomes": {}}}',
        b'{"key": "KEY", "record": {"outcomes": {"a": "fine"}}}',
        b'{"key": "KEY", "record": {"outcomes": {}, "more": 1}}',
    ],
)
def test_a_file_that_is_not_a_record_is_none(tmp_path: Path, content: bytes) -> None:
    files = KeptFiles(tmp_path / "kept")
    assert files.write("KEY.json", content)
    assert BaseRecords(files).find("KEY") is None


def test_a_record_is_read_back_as_it_was(tmp_path: Path) -> None:
    record = BaseRecord(outcomes={"a": "passed", "b": "error"}, strict=False, doubt="hidden", seconds=1.5)
    BaseRecords(KeptFiles(tmp_path / "kept")).keep("KEY", record)
    assert BaseRecords(KeptFiles(tmp_path / "kept")).find("KEY") == record
    assert json.loads((tmp_path / "kept" / "KEY.json").read_bytes())["key"] == "KEY"
    assert record.having("passed") == {"a"}


def test_a_run_that_did_not_end_is_forgotten_with_the_process(tmp_path: Path) -> None:
    records = BaseRecords(KeptFiles(tmp_path / "kept"))
    records.keep("KEY", BaseRecord(outcomes={}, fault="reached its time limit"))
    assert records.find("KEY") is not None
    assert BaseRecords(KeptFiles(tmp_path / "kept")).find("KEY") is None


def test_a_base_that_hangs_is_ended(tmp_path: Path) -> None:
    hanging = "import time\n\n\ndef test_hang() -> None:\n    time.sleep(600)\n"
    bed, _ = a_bed(tmp_path, {**BASE, "tests/test_hang.py": hanging}, minutes=0.05)
    record = a_run(bed, BaseRecords()).record()
    assert record.outcomes == {}
    assert record.fault == "pytest reached its time limit during tests/test_hang.py::test_hang"


def test_some_tests_are_run_again(tmp_path: Path) -> None:
    bed, _ = a_bed(tmp_path, BASE)
    run = a_run(bed, BaseRecords())
    assert run.again(["tests/test_calc.py::test_big", "gone.py::test_a"]) == {"tests/test_calc.py::test_big": "passed"}
    assert run.again(["gone.py::test_a"]) == {}
    run.remove()


def test_the_copy_has_what_only_a_build_makes(tmp_path: Path) -> None:
    """A version module of an installed copy is added to the export of the head; the base needs it as well."""
    code = {"calc.py": BASE["calc.py"], "toy/__init__.py": "from toy._version import version\n"}
    test = "from toy import version\n\n\ndef test_version() -> None:\n    assert version == '7'\n"
    bed, _ = a_bed(tmp_path, {**code, "pyproject.toml": PYPROJECT.replace("calc", "toy"), "tests/test_toy.py": test})
    write_files(bed.tree.reading, {"toy/_version.py": "version = '7'\n", "toy/other.py": "", "gone/_version.py": ""})
    run = a_run(bed, BaseRecords())
    assert run.record().outcomes == {"tests/test_toy.py::test_version": "passed"}
    assert bed.tree.base is not None
    assert not (bed.tree.base / "toy" / "_version.py").exists()
    with bed.copied(bed.tree.base, {"calc.py": None, "new/a.py": b"1"}) as copy:
        assert not (copy.working / "toy" / "other.py").exists()
        assert not (copy.working / "gone").exists()
        assert not (copy.working / "calc.py").exists()
        assert (copy.working / "new" / "a.py").read_bytes() == b"1"
    assert not copy.parent.exists()


MARKED = TEST.replace("def test_big", "@pytest.mark.odd\ndef test_big")
XFAIL = TEST.replace("def test_big", "@pytest.mark.xfail\ndef test_big")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (MARKED, "the tests could not be collected"),
        (XFAIL, "1 of 5 tests failed: tests/test_calc.py::test_big"),
    ],
)
def test_pytest_is_strict_where_the_base_holds(tmp_path: Path, changed: str, words: str) -> None:
    verdict = judge_change(tmp_path, {"tests/test_calc.py": changed})
    result = result_of(verdict, "test")
    assert state(result) == "failed"
    assert words in result.message


@pytest.mark.parametrize(
    "files",
    [
        {"tests/test_calc.py": MARKED, "pytest.ini": "[pytest]\n"},
        {"tests/test_calc.py": XFAIL},
        {"pytest.ini": "[pytest]\nnonsense = 1\n"},
    ],
)
def test_a_base_that_does_not_hold_is_not_made_to(tmp_path: Path, files: dict[str, str]) -> None:
    verdict = judge_change(tmp_path, {"README.md": "More.\n"}, base={**BASE, **files})
    assert verdict.passed, verdict
    assert "do not hold under strict pytest" in notes(verdict, "test")


def test_a_known_base_saves_the_strict_try(tmp_path: Path) -> None:
    """The head is run without strictness at once when it is known that the base does not hold."""
    bed, sandbox = a_bed(tmp_path, {**BASE, "tests/test_calc.py": XFAIL})
    records = BaseRecords()
    record = a_run(bed, records).record()
    assert not record.strict
    assert record.outcomes["tests/test_calc.py::test_big"] == "passed"
    assert runs(sandbox) == 2


def test_a_broken_base_holds_up_nobody(tmp_path: Path) -> None:
    base = {**BASE, "tests/test_broken.py": "import no_such_module\n"}
    verdict = judge_change(
        tmp_path, {"tests/test_broken.py": "def test_a() -> None:\n    assert 1 + 1 == 2\n"}, base=base
    )
    assert verdict.passed, verdict
    assert kinds(verdict) == []
    assert "The base's own tests do not come to their end" in notes(verdict, "integrity")
