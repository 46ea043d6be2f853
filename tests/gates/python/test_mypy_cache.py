from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import GateSection, GatesSection
from coordinator.gates.protocol import GateResult, Verdict
from coordinator.gates.python.mypy_cache import MOST_BYTES, MOST_PROJECTS, MypyCache, copy_files, set_unforeseeable_time
from coordinator.gates.suite import build_suite
from tests.gates.support import PlainSandbox, exporter, own_environment, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "0" * 64
ONLY_BUILD = GatesSection.model_validate(
    {name: {"enabled": name == "build"} for name in ("build", "lint", "test", "coverage", "integrity")}
)
TREE = {"toy/__init__.py": "X: int = 1\n"}


def verdict(*, passed: bool = True) -> Verdict:
    return Verdict(
        passed=passed, tree="t", gates=(GateResult(gate="build", passed=passed, message="", details={}, seconds=0),)
    )


def made(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def lent(cache: MypyCache, tmp_path: Path, name: str = NAME) -> dict[str, bytes]:
    """Return what a judgement gets."""
    target = tmp_path / f"lent-{time.monotonic_ns()}"
    cache.lend(name, target, PlainSandbox(tmp_path))
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}


def keep(folder: Path, source: Path, name: str = NAME, *, passed: bool = True) -> None:
    cache = MypyCache(folder)
    cache.take(name, source)
    cache.conclude(verdict(passed=passed))
    cache.drop()


def test_what_a_passed_tree_left_is_lent_as_a_copy(tmp_path: Path) -> None:
    source = made(tmp_path / "used", {"3.11/cache.db": b"one", "tag": b"t"})
    keep(tmp_path / "kept", source)
    made(source, {"3.11/cache.db": b"changed later"})
    cache = MypyCache(tmp_path / "kept")
    assert lent(cache, tmp_path) == {"3.11/cache.db": b"one", "tag": b"t"}
    for path in tmp_path.glob("lent-*/tag"):
        path.write_bytes(b"spoiled")
    assert lent(cache, tmp_path)["tag"] == b"t"
    assert lent(cache, tmp_path, "1" * 64) == {}


def test_what_a_rejected_tree_left_is_gone(tmp_path: Path) -> None:
    keep(tmp_path / "kept", made(tmp_path / "used", {"a": b"good"}))
    keep(tmp_path / "kept", made(tmp_path / "used", {"a": b"bad"}), passed=False)
    assert lent(MypyCache(tmp_path / "kept"), tmp_path) == {"a": b"good"}
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [NAME]


def test_without_a_verdict_nothing_is_kept(tmp_path: Path) -> None:
    cache = MypyCache(tmp_path / "kept")
    cache.take(NAME, made(tmp_path / "used", {"a": b"x"}))
    cache.drop()
    assert not list((tmp_path / "kept").iterdir())


def test_links_are_left_out(tmp_path: Path) -> None:
    source = made(tmp_path / "used", {"a": b"x"})
    (tmp_path / "secret").write_text("s")
    (source / "link").symlink_to(tmp_path / "secret")
    (source / "folder").symlink_to(tmp_path)
    keep(tmp_path / "kept", source)
    assert lent(MypyCache(tmp_path / "kept"), tmp_path) == {"a": b"x"}


def test_too_much_is_not_kept(tmp_path: Path) -> None:
    source = made(tmp_path / "used", {"a": b"", "b": b"x"})
    with (source / "a").open("wb") as file:
        file.truncate(MOST_BYTES)
    keep(tmp_path / "kept", source)
    assert not list((tmp_path / "kept").iterdir())
    assert not copy_files(source, tmp_path / "copy")


@pytest.mark.parametrize("spoil", [lambda folder: folder.chmod(0o770), lambda folder: folder.chmod(0o707)])
def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    keep(tmp_path / "kept", made(tmp_path / "used", {"a": b"x"}))
    spoil(tmp_path / "kept")
    assert lent(MypyCache(tmp_path / "kept"), tmp_path) == {}
    keep(tmp_path / "kept", tmp_path / "used", "1" * 64)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [NAME]


def test_a_place_that_cannot_be_used_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    keep(tmp_path / "kept", made(tmp_path / "used", {"a": b"x"}))
    assert lent(MypyCache(tmp_path / "kept"), tmp_path) == {}


def test_a_name_that_is_no_name_is_not_used(tmp_path: Path) -> None:
    keep(tmp_path / "kept", made(tmp_path / "used", {"a": b"x"}), "../outside")
    assert not list((tmp_path / "kept").iterdir())
    assert not (tmp_path / "outside").exists()


def test_the_oldest_and_what_a_kill_left_are_deleted(tmp_path: Path) -> None:
    source = made(tmp_path / "used", {"a": b"x"})
    for number in range(MOST_PROJECTS):
        keep(tmp_path / "kept", source, f"{number:064x}")
        os.utime(tmp_path / "kept" / f"{number:064x}", (time.time() - 1000 + number,) * 2)
    for name, age in ((".new-old", 2 * 86400), (".new-now", 0)):
        (tmp_path / "kept" / name).mkdir()
        os.utime(tmp_path / "kept" / name, (time.time() - age,) * 2)
    lent(MypyCache(tmp_path / "kept"), tmp_path, f"{0:064x}")
    keep(tmp_path / "kept", source, "f" * 64)
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert len(names) == MOST_PROJECTS + 1
    assert f"{0:064x}" in names, "it has just been used"
    assert f"{1:064x}" not in names
    assert {name for name in names if name.startswith(".new")} == {".new-now"}


def test_each_judgement_gives_its_files_another_time(tmp_path: Path) -> None:
    """Mypy takes an entry for current when size and time are the same, in whole seconds, and does not look further."""
    made(tmp_path / "tree", {"a.py": b"x", "toy/b.py": b"y"})
    (tmp_path / "tree" / "link").symlink_to("a.py")
    seen = []
    for _ in range(3):
        set_unforeseeable_time(tmp_path / "tree")
        (moment,) = {int((tmp_path / "tree" / name).stat().st_mtime) for name in ("a.py", "toy/b.py")}
        seen.append(moment)
    assert len(set(seen)) == 3


def build(
    repository: Path, home: Path, kept: Path | None, section: GatesSection = ONLY_BUILD, *, same_time: bool = False
) -> GateResult:
    home.mkdir(exist_ok=True)
    sandbox = PlainSandbox(home)

    def export(tree: str, folder: Path) -> None:
        exporter(repository)(tree, folder)
        for path in folder.rglob("*.py") if same_time else ():
            os.utime(path, (1_700_000_000, 1_700_000_000))

    verdict = build_suite(
        export=export,
        tree=git(repository, "rev-parse", "HEAD^{tree}"),
        base=None,
        section=section,
        sandbox=sandbox,
        environment=lambda _source: own_environment(sandbox, home / "cache"),
        mypy_cache=kept,
    ).judge()
    assert {path.name for path in home.iterdir()} <= {"cache", ".cache"}
    return result_of(verdict, "build")


def caches(kept: Path) -> list[Path]:
    return [path for path in kept.iterdir() if path.is_dir()] if kept.exists() else []


def test_an_error_after_a_passed_tree_is_found_with_the_kept_cache(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", TREE)
    first = build(repository, tmp_path / "home", tmp_path / "kept")
    assert (first.passed, first.details["files"]) == (True, 1)
    (kept,) = caches(tmp_path / "kept")
    before = {path: path.read_bytes() for path in kept.rglob("cache*.db")}
    assert len(before) == 1, "one database: each has its pages in memory"
    warm = build(repository, tmp_path / "home", tmp_path / "kept")
    assert (warm.passed, warm.details["files"], warm.message) == (True, 1, first.message)
    commit_files(repository, {"toy/__init__.py": 'X: int = ""\n'})  # as long as before, as sizes are compared first
    wrong = build(repository, tmp_path / "home", tmp_path / "kept")
    assert wrong.details["state"] == "failed"
    assert wrong.details["findings_total"] == 1
    after = {path.name: path.read_bytes() for path in caches(tmp_path / "kept")[0].rglob("cache*.db")}
    assert {name for name in after if b"Incompatible" in after[name]} == set(), "a rejected tree left something"


def test_the_time_and_the_size_of_a_file_do_not_decide(tmp_path: Path) -> None:
    """Two judgements that begin in the same second, with a file that has the same size in both."""
    repository = make_repository(tmp_path / "repository", TREE)
    assert build(repository, tmp_path / "home", tmp_path / "kept", same_time=True).passed
    commit_files(repository, {"toy/__init__.py": "X: str = 1\n"})
    assert not build(repository, tmp_path / "home", tmp_path / "kept", same_time=True).passed


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({**TREE, "mypy.ini": "[mypy]\nplugins = plugin.py\n", "plugin.py": ""}, id="plugins are code"),
        pytest.param({"toy/__init__.py": "X: int = ''\n"}, id="a rejected tree"),
    ],
)
def test_nothing_is_kept_of(tmp_path: Path, files: dict[str, str]) -> None:
    build(make_repository(tmp_path / "repository", files), tmp_path / "home", tmp_path / "kept")
    assert caches(tmp_path / "kept") == []


def test_a_passed_build_of_a_tree_that_another_gate_rejects_leaves_nothing(tmp_path: Path) -> None:
    section = ONLY_BUILD.model_copy(update={"lint": GateSection()})
    repository = make_repository(tmp_path / "repository", {"toy/__init__.py": "import os\n\nX: int = 1\n"})
    assert build(repository, tmp_path / "home", tmp_path / "kept", section).passed
    assert list((tmp_path / "kept").iterdir()) == []


def test_other_options_get_another_cache(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", TREE)
    build(repository, tmp_path / "home", tmp_path / "kept")
    more = ONLY_BUILD.model_copy(update={"build": GateSection(args=("--warn-unreachable",))})
    build(repository, tmp_path / "home", tmp_path / "kept", more)
    commit_files(repository, {"mypy.ini": "[mypy]\npretty = true\nerror_summary = false\n"})
    quiet = build(repository, tmp_path / "home", tmp_path / "kept")
    assert quiet.details["files"] == 1, "the configuration switches the last line off"
    assert len(caches(tmp_path / "kept")) == 3


def test_without_a_cache_the_files_are_counted_as_well(tmp_path: Path) -> None:
    repository = make_repository(
        tmp_path / "repository", {**TREE, "toy/b.py": "", "mypy.ini": "[mypy]\nerror_summary = false\n"}
    )
    assert build(repository, tmp_path / "home", None).details["files"] == 2
