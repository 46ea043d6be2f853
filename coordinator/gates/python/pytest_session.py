"""What the coordinator does inside a session of pytest: no plugin of the tree's, canaries last, the wanted tests only.

It is copied out of this package, alone, into a folder that the tests can only read, and imported by the runner
(`coordinator.gates.python.pytest_runner`); so it uses the standard library and pytest only.

A canary is a test that must fail. It runs after all others, is not counted among the failures, so that ``-x`` and
``--maxfail`` mean the others, and is not shown in the terminal. When all of them failed and nothing else is wrong, the
session ends with an exit code that nobody else knows; any other way out of it gives another code.

Pytest loads every plugin that a distribution on the search path names as an entry point, and its option ``pythonpath``
puts folders of the tree there before that. So no distribution is found in the tree until all plugins are loaded: only
what is installed in the target's environment brings one along.

Plugins that measure, spread or shuffle the tests are told not to, or how: see `TAMED` and `SEED`.
"""

from __future__ import annotations

import gc
import json
import os
from importlib.metadata import DistributionFinder
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

SEARCH_PATH = "path"
"""Property of `DistributionFinder.Context`."""

TAMED = {"xdist": "-n0", "pytest_cov": "--no-cov"}
"""By the name of a plugin's entry point the option that is added when it is loaded: a worker of pytest-xdist would not
be measured, and pytest-cov would measure a second time."""

SHUFFLING = "randomly"
SEED = "--randomly-seed=0"
"""Of pytest-randomly, unless the project names another one: each run has the same order."""

COLLECTING = 10_000
"""New objects before Python looks for garbage (700 is usual) while tests are collected, which makes many objects and
hardly any garbage: with 33,000 tests a tenth of that time, at the same peak of memory."""


class HiddenDistributions:
    """Lets `importlib.metadata` find no distribution in a folder or below it, by whatever name it is reached.

    That module asks each finder for the distributions of a context, and the context for the search path.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder).resolve()
        self._ordinary: property = vars(DistributionFinder.Context)[SEARCH_PATH]

    def hide(self) -> None:
        """Begin."""

        def path(context: DistributionFinder.Context) -> list[str]:
            return [entry for entry in self._ordinary.__get__(context) if self._is_beside(entry)]

        setattr(DistributionFinder.Context, SEARCH_PATH, property(path))

    def show(self) -> None:
        """End it."""
        setattr(DistributionFinder.Context, SEARCH_PATH, self._ordinary)

    def _is_beside(self, entry: str) -> bool:
        named = Path(os.path.normpath(Path.cwd() / entry))
        return not any(place.is_relative_to(self._folder) for place in (named, named.resolve()))


class SessionPlugin:
    """The hooks of one session."""

    def __init__(self, known: Mapping[str, object]) -> None:
        """`known` has the keys.

        ``canaries`` are files relative to the root folder, ``only`` is a file with the ids of the tests to run as JSON
        or None for all, ``property`` is under what name a test's id gets into the JUnit report, whose own attributes
        leave it open, ``signal`` is the exit code of a session in which only the canaries failed, and ``tree`` is the
        judged tree.
        """
        canaries, only, signal = known["canaries"], known["only"], known["signal"]
        self.property = str(known["property"])
        self.canaries = frozenset(canaries if isinstance(canaries, list) else ())
        self.only = frozenset(json.loads(Path(only).read_bytes())) if isinstance(only, str) else None
        self.signal = signal if isinstance(signal, int) else 0
        self.hidden = HiddenDistributions(str(known["tree"]))
        self.expected: set[str] = set()
        self.failed: set[str] = set()
        self.session: pytest.Session | None = None

    def is_canary(self, nodeid: str) -> bool:
        """Say whether a test stands in the file of a canary."""
        return nodeid.partition("::")[0] in self.canaries

    def pytest_addoption(self) -> None:
        """Hide the tree's distributions: this is called as soon as the plugin is there, before any is looked for."""
        self.hidden.hide()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(
        self, early_config: pytest.Config, parser: pytest.Parser, args: list[str]
    ) -> Generator[None, None, None]:
        """Show them again, as all plugins are loaded, and tame those that are there before they begin.

        What is added to `args` takes part in the final parsing; until then the options known so far count.
        """
        self.hidden.show()
        loaded = early_config.pluginmanager.has_plugin
        added = [option for name, option in TAMED.items() if loaded(name) or loaded(f"{name}.plugin")]
        args[:] = [*([SEED] if loaded(SHUFFLING) else []), *args, *added]
        parser.parse_known_args(added, namespace=early_config.known_args_namespace)
        yield

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember the session: reports do not name theirs."""
        self.session = session

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, None, None]:
        """Let Python look for garbage less often while tests are collected; a project's own setting stays."""
        usual = gc.get_threshold()
        seldom = (COLLECTING, *usual[1:])
        if 0 < usual[0] < COLLECTING:
            gc.set_threshold(*seldom)
        yield
        if gc.get_threshold() == seldom:
            gc.set_threshold(*usual)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Let all others choose and order, then put the canaries last.

        What ``-k`` and ``-m`` of the project leave out comes back; what a hook left out does not.
        """
        canaries = self._canaries_of(items)
        yield
        if not (config.getoption("keyword") or config.getoption("markexpr")):
            canaries = self._canaries_of(items)
        others = [item for item in items if item.nodeid.partition("::")[0] not in self.canaries]
        if self.only is not None:
            others = [item for item in others if item.nodeid in self.only]
        for item in (*others, *canaries):
            item.user_properties.append((self.property, item.nodeid))
        self.expected = {item.nodeid for item in canaries}
        items[:] = [*others, *canaries]

    def _canaries_of(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Return those among the items, without a call for each: they may be many, and coverage traces calls."""
        return [item for item in items if item.nodeid.partition("::")[0] in self.canaries]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take the files of the canaries away again: a test may look at which files there are."""
        for name in self.canaries:
            Path(session.config.rootpath, name).unlink(missing_ok=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Without any other test there was none to run."""
        session.testscollected -= len(self.expected)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Note that a canary failed, and take it off the session's count before the session adds it and compares."""
        if self.session is not None and self._is_expected_failure(report):
            self.failed.add(report.nodeid)
            self.session.testsfailed -= 1
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show nothing of a canary."""
        return ("", "", "") if self._is_expected_failure(report) else None

    def _is_expected_failure(self, report: pytest.CollectReport | pytest.TestReport) -> bool:
        """Say so but for the teardown, in which the fixtures of the whole session end."""
        return report.failed and report.when != "teardown" and self.is_canary(report.nodeid)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Give the signal when, after all others had their say, nothing but the canaries failed."""
        yield
        if self.expected and self.expected == self.failed and session.exitstatus in {0, 5}:
            session.exitstatus = self.signal
