from __future__ import annotations

import pytest

from coordinator.gates.python.coverage_core import core_variables

FAST = {"COVERAGE_CORE": "sysmon"}


@pytest.mark.parametrize(
    ("python", "coverage", "options", "fast"),
    [
        ((3, 11), "7.17.3", {}, False),
        ((3, 12), "7.17.3", {}, True),
        ((3, 13), "7.4", {}, True),
        ((3, 13), None, {}, True),
        ((3, 13), "7.3.4", {}, False),
        ((3, 13), "6.5.0", {}, False),
        ((3, 14), "7.17.3", {}, False),
        ((3, 14), "7.17.3", {"branch": True}, False),
        ((3, 12), "7.17.3", {"branch": True}, False),
        ((3, 12), "7.17.3", {"branch": "True"}, False),
        ((3, 12), "7.17.3", {"branch": " ON "}, False),
        ((3, 12), "7.17.3", {"branch": False}, True),
        ((3, 12), "7.17.3", {"branch": "false"}, True),
        ((3, 12), "7.17.3", {"timid": "yes"}, False),
        ((3, 12), "7.17.3", {"plugins": ["x"]}, False),
        ((3, 12), "7.17.3", {"plugins": "x"}, False),
        ((3, 12), "7.17.3", {"dynamic_context": "test_function"}, False),
        ((3, 12), "7.17.3", {"core": "ctrace"}, False),
        ((3, 12), "7.17.3", {"concurrency": ["thread", "gevent"]}, False),
        ((3, 12), "7.17.3", {"concurrency": "greenlet"}, False),
        ((3, 12), "7.17.3", {"concurrency": ["multiprocessing", "thread"]}, True),
        ((3, 12), "7.17.3", {"source": ["toy"], "parallel": True}, True),
    ],
)
def test_the_fast_core_is_chosen_where_it_gives_the_same_answer(
    python: tuple[int, int], coverage: str | None, options: dict[str, object], *, fast: bool
) -> None:
    """From 3.14 on coverage itself chooses; below 3.12 there is none; in between it has no branches."""
    assert core_variables(python, coverage, options) == (FAST if fast else {})
