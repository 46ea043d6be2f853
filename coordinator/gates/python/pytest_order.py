"""A pytest plugin: the tests of changed files first, and no others once one of them failed.

It is copied out of this package, alone, into a folder that the tests can only read, and loaded with ``-p``; so it uses
the standard library and pytest only. What it needs stands in the environment variable `VARIABLE` as JSON with the keys
``first`` (paths of test files, relative to pytest's root folder, as they stand in test ids) and ``cut`` (a file that is
written when tests were left out).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    import pytest

VARIABLE = "COORDINATOR_ORDER"
NAME = "coordinator_order"
"""Of the copy."""

REASON = "a changed test failed, so the others were left out"


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the session. The variable is taken out: a pytest that a test starts is not meant."""
    import pytest  # noqa: PLC0415  (the coordinator, which copies this module, needs no pytest of its own for that)

    known = json.loads(os.environ.pop(VARIABLE))
    first, cut = frozenset(known["first"]), Path(known["cut"])

    def is_changed(item: pytest.Item) -> bool:
        return item.nodeid.partition("::")[0] in first

    class ChangedFirst:
        """The hooks."""

        failed = False

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            """Move the tests of changed files to the front; otherwise the order stays."""
            items.sort(key=lambda item: not is_changed(item))

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            """Remember whether one of the first tests failed."""
            self.failed = self.failed or report.failed

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(
            self, item: pytest.Item, nextitem: pytest.Item | None
        ) -> Generator[None, object, object]:
            """End the session after the last test of a changed file, if any failed."""
            answer = yield
            if self.failed and nextitem is not None and is_changed(item) and not is_changed(nextitem):
                cut.write_text(nextitem.nodeid, encoding="utf-8")
                item.session.shouldfail = REASON
            return answer

    config.pluginmanager.register(ChangedFirst(), f"{NAME}_session")
