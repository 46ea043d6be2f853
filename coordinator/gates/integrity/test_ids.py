"""Ids of tests as pytest spells them, ``path::Class::function[parameters]``: their parts, and many of them in few."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

MOST_NAMED = 3


def file_of(test: str) -> str:
    """Return the path of the test's file."""
    return test.partition("::")[0]


def function_of(test: str) -> str:
    """Return the id without its parameters, which may hold anything, ``::`` too."""
    path, mark, rest = test.partition("::")
    return path + mark + rest.partition("[")[0]


@dataclass(frozen=True, slots=True)
class Group:
    """Tests that one finding is about."""

    what: str
    """A file, or a function without its parameters."""
    tests: tuple[str, ...]
    """Their ids, sorted."""
    whole: bool
    """Whether these are all that there were of it."""

    @property
    def path(self) -> str:
        """The file."""
        return file_of(self.what)

    def named(self) -> str:
        """Return the first ids, and how many more there are."""
        more = len(self.tests) - MOST_NAMED
        return ", ".join(self.tests[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def grouped(tests: Collection[str], known: Collection[str]) -> Iterator[Group]:
    """Yield groups for `tests`, a part of `known`: one for a file that is in it as a whole, else one per function."""
    of_function = _by(function_of, known)
    in_file = _by(file_of, known)
    for path, here in sorted(_by(file_of, tests).items()):
        functions = _by(function_of, here)
        if len(here) == len(in_file[path]) and len(functions) > 1:
            yield Group(path, tuple(sorted(here)), whole=True)
        else:
            for function, these in sorted(functions.items()):
                yield Group(function, tuple(sorted(these)), whole=len(these) == len(of_function[function]))


def _by(key: Callable[[str], str], tests: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        found[key(test)].append(test)
    return found
