"""Starts pytest so that the judged sources win over an installed copy of the project.

It is copied out of this package, alone, into a folder that the tests can only read, and runs as the main module; so it
uses the standard library and pytest only. What it needs stands in the environment variable `VARIABLE` as JSON with the
keys ``roots`` (absolute folders of sources), ``names`` (top-level modules found there), ``path`` (what commands started
by the tests get as ``PYTHONPATH``), ``progress`` (a file for the id of the test that runs: `Progress`) and
``session`` (what `coordinator.gates.python.pytest_session`, which lies beside it, needs; None does without).

From the start on, before pytest looks for plugins or resolves a warning class named in the configuration, the project's
own modules, and nothing else below the roots, come from there. A module named like one of pytest's that lies in the
tree is thus not found while pytest starts; later the roots are ordinary entries of the search path.
"""

from __future__ import annotations

import _thread
import contextvars
import gc
import importlib
import json
import mmap
import os
import sys
from contextlib import contextmanager, nullcontext, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

VARIABLE = "COORDINATOR_SOURCES"
ARENAS = "MALLOC_ARENA_MAX"
"""What glibc has read when `main` begins, and the tests and their commands need not know (mallopt(3)). The thread of
`untraced` would have an arena of memory of its own otherwise: 3 of 57 MB while 33,000 tests are collected."""
SESSION = "coordinator_session"
"""Module beside this one: `coordinator.gates.python.pytest_session`."""
PROPERTY = "coordinator-test-id"
"""Property of a test case in the JUnit report that holds the test's id."""

PROGRESS_BYTES = 4096
"""Size of the file that tells which test runs."""

REWRITING = "_rewrite_test"
"""Of ``_pytest.assertion.rewrite``: reads, rewrites and compiles a test file."""
STACK_BYTES = 16 * 1024 * 1024
"""Of the stack of `untraced`: a main thread usually has 8 MiB, a thread of musl's 128 KiB, too little for a parser."""


class SourceFinder(MetaPathFinder):
    """Finds the named top-level modules below the roots."""

    def __init__(self, names: list[str], roots: list[str]) -> None:
        self.names = frozenset(names)
        self.roots = roots

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the project, None for all others."""
        if path is None and fullname in self.names:
            return PathFinder.find_spec(fullname, self.roots, target)
        return None


class Progress:
    """A file that holds the id of the test that runs, cut at `PROGRESS_BYTES` or filled up with NUL.

    It is mapped into memory: what stands there outlives a process that is killed, and no test can close it by accident.
    Opening it anew for each test took a third of a millisecond, which was a tenth of the run where tests are short.
    A file system that maps no files costs the last test's name in a message, and nothing else.
    """

    def __init__(self, path: str) -> None:
        self._page: mmap.mmap | bytearray = bytearray(PROGRESS_BYTES)
        with suppress(OSError), Path(path).open("wb+") as file:
            file.truncate(PROGRESS_BYTES)
            self._page = mmap.mmap(file.fileno(), PROGRESS_BYTES)

    def note(self, test: str) -> None:
        """Put the id of a test in place of the one before."""
        self._page[:] = test.encode(errors="replace")[:PROGRESS_BYTES].ljust(PROGRESS_BYTES, b"\0")


def untraced(function: Callable[..., object]) -> Callable[..., object]:
    """Return a function that does its work in a thread of its own, of which whoever traces this one knows nothing.

    Nothing is traced twice or left out where it goes on: it waits meanwhile, and its trace stays as it is.
    """

    def wrapper(*args: object) -> object:
        ended = _thread.allocate_lock()
        ended.acquire()
        context = contextvars.copy_context()  # where warnings are recorded may depend on it
        results: list[object] = []
        faults: list[BaseException] = []

        def work() -> None:
            try:
                results.append(context.run(function, *args))
            except BaseException as error:  # noqa: BLE001  (it is raised where it belongs)
                faults.append(error)
            finally:
                ended.release()

        usual = _thread.stack_size(STACK_BYTES)
        try:
            _thread.start_new_thread(work, ())
        except RuntimeError:  # as many processes as there may be
            return function(*args)
        finally:
            _thread.stack_size(usual)
        ended.acquire()
        if faults:
            raise faults[0]
        return results[0]

    return wrapper


@contextmanager
def rewriting_untraced() -> Iterator[None]:
    """Let pytest rewrite the assertions of test files untraced, which takes half of the time under coverage.

    Its function for that is no part of its interface: where there is none of this name, all stays as it is.
    """
    try:
        module = importlib.import_module("_pytest.assertion.rewrite")
        usual = getattr(module, REWRITING)
    except (ImportError, AttributeError):
        yield
        return
    setattr(module, REWRITING, untraced(usual))
    try:
        yield
    finally:
        setattr(module, REWRITING, usual)


def main(arguments: list[str]) -> int:
    """Run pytest and return its exit code."""
    known = json.loads(os.environ.pop(VARIABLE))
    os.environ.pop(ARENAS, None)
    sys.meta_path.insert(0, SourceFinder(known["names"], known["roots"]))

    import pytest  # noqa: PLC0415  (only now may it import anything of the project)

    is_traced = sys.gettrace() is not None and "_pytest" not in known["names"]
    session = known.get("session")
    plugins = [importlib.import_module(SESSION).SessionPlugin(session)] if session is not None else []
    canaries = frozenset(session["canaries"]) if session is not None else frozenset()

    progress = Progress(known["progress"])

    class SourcesPlugin:
        """The hooks."""

        @pytest.hookimpl(tryfirst=True)
        def pytest_load_initial_conftests(self) -> None:
            """Put the roots on the search path, here and for the commands that the tests start."""
            sys.path[:0] = known["roots"]
            os.environ["PYTHONPATH"] = known["path"]

        @pytest.hookimpl(hookwrapper=True)
        def pytest_collection(self) -> Generator[None, None, None]:
            """Save time where it is spent, but not in a test: one may look for what waits in an event loop."""
            with rewriting_untraced() if is_traced else nullcontext():
                yield

        def pytest_runtest_logstart(self, nodeid: str) -> None:
            """Note which test runs now."""
            if nodeid.partition("::")[0] not in canaries:
                progress.note(nodeid)

    status = int(pytest.main(arguments, plugins=[SourcesPlugin(), *plugins]))
    # On its way out Python looks through all that is left, twice: with 30,000 collected tests a tenth of the whole run.
    gc.freeze()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
