"""Where a project has its tests and how it names them, as pytest is told by its configuration and its arguments."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.files import files_below, place_below
from coordinator.gates.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

FILES = ("test_*.py", "*_test.py")
FUNCTIONS = ("test",)
TEST_CLASS = "Test"
NOT_ENTERED = ("*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")
"""Defaults of ``python_files``, ``python_functions``, ``python_classes`` and ``norecursedirs`` in pytest's reference of
its configuration; this and the next as of pytest 9."""

VALUED = frozenset({
    "-k", "-m", "-c", "-p", "-o", "-W", "-r", "-n", "--ignore", "--ignore-glob", "--deselect", "--rootdir",
    "--basetemp", "--confcutdir", "--junitxml", "--junit-xml", "--maxfail", "--tb", "--durations", "--import-mode",
    "--cov-config", "--log-level", "--log-file", "--timeout", "--reruns", "--dist", "--config-file", "--override-ini",
    "--pythonwarnings",
})  # fmt: skip
"""Options whose value may stand in an argument of its own, so that it is not taken for a path."""

TEST_FOLDERS = frozenset({"test", "tests"})
"""Folders whose files serve the tests, however they are named."""


@dataclass(frozen=True, slots=True)
class TestLayout:
    """What pytest collects, as far as it can be told without running it. Paths are relative, ``/``-separated."""

    __test__ = False

    files: tuple[str, ...] = FILES
    functions: tuple[str, ...] = FUNCTIONS
    not_entered: tuple[str, ...] = NOT_ENTERED
    places: tuple[str, ...] = ()
    """Folders and files where it starts; none stands for the root folder."""
    arguments: bool = False
    """Whether the places are arguments: then a file is collected only if it is in one of them."""
    options: tuple[str, ...] = ()
    """``addopts`` and the coordinator's own arguments."""

    def is_test_file(self, path: str) -> bool:
        """Say whether a file's name is one of a test file."""
        name = PurePosixPath(path).name
        return any(fnmatch(f"/{path}" if "/" in each else name, _whole(each)) for each in self.files)

    def is_on_test_side(self, path: str, sources: Collection[str]) -> bool:
        """Say whether a file is one of the tests or serves them, rather than being tested.

        `sources` are the project's packages: a place where tests are looked for that holds one is no folder of tests.
        """
        parts = PurePosixPath(path).parts
        named = parts[-1] == "conftest.py" or self.is_test_file(path) or not TEST_FOLDERS.isdisjoint(parts[:-1])
        return named or any(path.startswith(f"{place}/") for place in self.places if _is_apart(place, sources))

    def is_source(self, path: str, sources: Collection[str]) -> bool:
        """Say whether a file of the packages is none of a test, whatever its folder is called.

        `sources` are the project's packages: folders and modules.
        """
        return is_below(path, sources) and PurePosixPath(path).name != "conftest.py" and not self.is_test_file(path)

    def is_test(self, function: str) -> bool:
        """Say whether a function of a test file, ``Class.function``, is a test or a part of one."""
        parts = function.split(".")
        tests = any(part.startswith(each) or fnmatch(part, each) for part in parts for each in self.functions)
        return tests or any(part.startswith(TEST_CLASS) for part in parts)

    def is_entered(self, path: str) -> bool:
        """Say whether pytest would walk into the folders of this file on its own."""
        folders = PurePosixPath(path).parts[:-1]
        return not any(fnmatch(folder, pattern) for folder in folders for pattern in self.not_entered)

    def test_files(self, folder: Path) -> Iterator[str]:
        """Yield the test files of a tree, sorted."""
        return (name for name in files_below(folder) if self.is_test_file(name) and self.is_entered(name))


def is_below(path: str, places: Collection[str]) -> bool:
    """Say whether a file is one of the places or lies in one."""
    return any(path == place or path.startswith(f"{place}/") for place in places)


def layout_of(folder: Path, args: Sequence[str] = ()) -> TestLayout:
    """Return the layout of the project in a folder; `args` are added to pytest's command line."""
    rules = rules_of(folder, "pytest")
    options: Mapping[str, object] = rules.options if rules is not None else {}
    arguments = (*words(options.get("addopts")), *args)
    named = tuple(_existing(folder, _positional(arguments)))
    return TestLayout(
        files=words(options.get("python_files")) or FILES,
        functions=words(options.get("python_functions")) or FUNCTIONS,
        not_entered=words(options.get("norecursedirs")) or NOT_ENTERED,
        places=named or tuple(_expanded(folder, words(options.get("testpaths")))),
        arguments=bool(named),
        options=arguments,
    )


def _is_apart(place: str, sources: Collection[str]) -> bool:
    return place not in {"", "."} and not any(f"{source}/".startswith(f"{place}/") for source in sources)


def words(value: object) -> tuple[str, ...]:
    """Return the parts of an option that is a list in TOML, or one text that is split like a command line."""
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str))
    try:
        return tuple(shlex.split(value, comments=True)) if isinstance(value, str) else ()
    except ValueError:
        return ()


def _positional(arguments: Sequence[str]) -> Iterator[str]:
    before = ""
    for argument in arguments:
        if not argument.startswith("-") and before not in VALUED:
            yield argument.partition("::")[0]
        before = argument


def _existing(folder: Path, names: Iterator[str]) -> Iterator[str]:
    for name in names:
        place = place_below(folder, name) if name != "." else folder
        if place is not None and place.exists():
            yield str(PurePosixPath(name))


def _expanded(folder: Path, patterns: Sequence[str]) -> Iterator[str]:
    """Yield what ``testpaths`` name; they may be patterns, and what is not there is left out."""
    for pattern in patterns:
        if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts or not pattern:
            continue
        for path in sorted(folder.glob(pattern)) if pattern not in {".", "./"} else [folder]:
            yield path.relative_to(folder).as_posix()


def _whole(pattern: str) -> str:
    """Return a pattern with folders as pytest compares it: with the end of the absolute path."""
    return f"*/{pattern}" if "/" in pattern and not pattern.startswith("/") else pattern
