"""All fifty scenarios have tests, and the strict server judges every request of the agent's tests."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from coordinator.agent.failures import HistoryRefused
from tests.agent.scenarios.table import SCENARIOS
from tests.agent.support import DONE, agent_step, endpoint, strict_server

ROOT = Path(__file__).parents[3]

LENIENT = {
    "agent/scenarios/test_replies.py::test_an_id_that_a_later_reply_uses_again_is_told_in_words_when_the_api_minds",
    "agent/test_compaction.py::test_a_window_that_is_smaller_than_the_profile_says_is_learned",
    "agent/test_compaction.py::test_time_that_is_up_during_the_note_ends_the_work_in_order",
    "agent/test_model.py::test_a_real_overflow_of_the_window_is_seen",
    "agent/test_model.py::test_a_redirect_is_not_followed",
    "agent/test_model.py::test_stray_variables_change_nothing",
}
"""Tests whose server may be asked what it refuses: they expect it, or expect that it is not asked at all."""


@cache
def functions(module: str) -> dict[str, ast.FunctionDef]:
    """The functions of a test module, by name."""
    tree = ast.parse((ROOT / "tests" / module).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_there_are_fifty() -> None:
    assert list(SCENARIOS) == list(range(1, 51))


@pytest.mark.parametrize("number", SCENARIOS)
def test_a_scenario_has_tests_that_are_there_and_run(number: int) -> None:
    scenario = SCENARIOS[number]
    assert scenario.nodes
    assert len(set(scenario.nodes)) == len(scenario.nodes)
    for node in scenario.nodes:
        module, _, name = node.partition("::")
        function = functions(module).get(name)
        assert function is not None, node
        assert any(isinstance(part, ast.Assert | ast.With) for part in ast.walk(function)), f"{node} shows nothing"
        marks = " ".join(ast.unparse(mark) for mark in function.decorator_list)
        assert "skip" not in marks, f"{node} may not run"
        assert "xfail" not in marks, f"{node} may fail"


def test_every_scenario_of_this_package_is_in_the_table() -> None:
    folder = Path(__file__).parent
    modules = [f"agent/scenarios/{path.name}" for path in folder.glob("test_*.py") if path != Path(__file__)]
    written = {f"{module}::{name}" for module in modules for name in functions(module) if name.startswith("test_")}
    assert written <= {node for scenario in SCENARIOS.values() for node in scenario.nodes}


# The strict rules see every request of the agent's tests.


def test_every_other_test_of_the_agent_has_a_server_that_may_refuse_nothing() -> None:
    modules = [path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests" / "agent").rglob("test_*.py")]
    lenient = {
        f"{module}::{name}"
        for module in modules
        for name, function in functions(module).items()
        for part in ast.walk(function)
        if isinstance(part, ast.Call) and ast.unparse(part.func) == "ModelServer"
    }
    assert {node for node in lenient if not node.startswith("agent/test_model_server.py")} == LENIENT


def ask_badly(folder: Path, refused: list[str]) -> None:
    """Send an answer to a call that nobody made."""
    answer = {"type": "tool_result", "tool_use_id": "toolu_none", "content": "3"}
    opening: list[Any] = [{"role": "user", "content": [answer]}]
    with strict_server([]) as server, agent_step(folder, endpoint(server)) as step:
        with pytest.raises(HistoryRefused):
            step.run(opening=opening)
        refused += server.refused


def test_a_refused_request_fails_its_test_whatever_the_client_makes_of_it(tmp_path: Path) -> None:
    refused: list[str] = []
    with pytest.raises(AssertionError):
        ask_badly(tmp_path, refused)
    assert len(refused) == 1
    assert "tool_result" in refused[0]


def test_a_step_that_was_never_asked_for_fails_its_test() -> None:
    with pytest.raises(AssertionError), strict_server([DONE]):
        pass
