from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import Configuration
from coordinator.gates.cache.kept_files import KeptFiles
from coordinator.gates.cache.result_cache import Caches, Question, ResultCache, ask, kept_at
from coordinator.gates.integrity.findings import Waiver
from coordinator.gates.protocol import GateResult, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

NOON = datetime(2026, 11, 2, 12, 0, 5, 999, tzinfo=UTC)


def question(tree: str = "t1") -> Question:
    asked = ask(tree=tree, base="b", configuration=Configuration(), environment="e", confinement="c")
    assert asked is not None
    return asked


def verdict(state: str = "passed", tree: str = "t1", gate: str = "test", **details: JsonValue) -> Verdict:
    passed = state == "passed"
    fine = GateResult(gate="lint", passed=True, message="fine", details={"state": "passed"}, seconds=0.1)
    other = GateResult(gate=gate, passed=passed, message="m", details={"state": state, **details}, seconds=2)
    return Verdict(passed=passed, tree=tree, gates=(fine, other))


def cache(folder: Path | None) -> ResultCache:
    return ResultCache(None if folder is None else KeptFiles(folder), now=lambda: NOON)


@pytest.mark.parametrize("state", ["passed", "failed", "attention"])
def test_a_verdict_is_given_again_by_another_process_and_says_when_it_was_made(tmp_path: Path, state: str) -> None:
    made = verdict(state, findings=[{"path": "a.py"}])
    assert cache(tmp_path).judged(question(), lambda: made) == made
    assert kept_at(made) == ""
    again = cache(tmp_path).judged(question(), lambda: pytest.fail("judged again"))
    assert kept_at(again) == "2026-11-02T12:00:05+00:00"
    assert (again.passed, again.tree) == (made.passed, "t1")
    plain = [result.model_copy(update={"details": dict(list(result.details.items())[:-1])}) for result in again.gates]
    assert tuple(plain) == made.gates


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(verdict("error"), id="error"),
        pytest.param(verdict(flaky=["tests/t.py::test"]), id="flaky"),
        pytest.param(verdict("unheard-of"), id="unknown state"),
        pytest.param(verdict(tree="t2"), id="another tree"),
        pytest.param(verdict(gate="vet"), id="a command of the project's own"),
        pytest.param(verdict(other_tools=True), id="the preset of another language"),
        pytest.param(Verdict(passed=True, tree="t1", gates=()), id="no gates"),
        pytest.param(verdict("failed").model_copy(update={"passed": True}), id="not what its gates say"),
    ],
)
def test_what_would_not_be_said_again_is_not_kept(tmp_path: Path, kept: Verdict) -> None:
    known = cache(tmp_path)
    assert known.judged(question(), lambda: kept) == kept
    assert known.find(question()) is None
    assert not list(tmp_path.iterdir())


def test_a_run_without_a_folder_remembers_its_own_verdicts() -> None:
    first = cache(None)
    first.judged(question(), verdict)
    assert kept_at(first.judged(question(), lambda: pytest.fail("judged again")))
    assert cache(None).find(question()) is None


def test_what_is_wanted_anew_is_judged_and_kept(tmp_path: Path) -> None:
    cache(tmp_path).judged(question(), verdict)
    failed = verdict("failed")
    assert cache(tmp_path).judged(question(), lambda: failed, anew=True) == failed
    known = cache(tmp_path).find(question())
    assert known is not None
    assert not known.passed


def test_every_part_of_the_question_counts(tmp_path: Path) -> None:
    cache(tmp_path).judged(question(), verdict)
    same = question().model_dump()
    others: dict[str, object] = {
        "base": None, "gates": {}, "setup": ("x",), "waivers": (("kind", "what", "who"),), "network": "open",
        "environment": "e2", "confinement": "c2", "coordinator": "0", "python": "3", "tools": {},
    }  # fmt: skip
    assert set(others) == set(same) - {"tree"}
    for name, value in others.items():
        assert cache(tmp_path).find(question().model_copy(update={name: value})) is None, name
    assert cache(tmp_path).find(question("t2")) is None
    assert cache(tmp_path).find(question()) is not None


def test_configuration_and_waivers_become_part_of_the_question() -> None:
    relaxed = Configuration.model_validate({"gates": {"coverage": {"threshold": 10}}, "setup": ["make"]})
    waiver = Waiver(kind="noqa", what="a.py", by="dev")
    asked = ask(tree="t1", base="b", configuration=relaxed, environment="e", confinement="c", waivers=(waiver,))
    assert asked is not None
    assert asked.gates != question().gates
    assert (asked.setup, asked.waivers) == (("make",), (("noqa", "a.py", "dev"),))
    assert sorted(asked.tools) == ["coverage", "mypy", "pytest", "ruff"]


def test_with_an_open_network_nothing_is_kept() -> None:
    opened = Configuration.model_validate({"sandbox": {"network": "open"}})
    assert ask(tree="t1", base="b", configuration=opened, environment="e", confinement="c") is None


def test_without_a_name_for_the_environment_nothing_is_kept(tmp_path: Path) -> None:
    nothing = ask(tree="t1", base="b", configuration=Configuration(), environment=None, confinement="c")
    assert nothing is None
    assert cache(tmp_path).judged(nothing, verdict).passed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda text: text[:50],
        lambda text: text.replace('"question":"', '"question":"0'),
        lambda text: text.replace('"passed":false,"tree"', '"passed":true,"tree"'),
        lambda text: text.replace('"tree":"t1"', '"tree":"t2"'),
        lambda text: text.replace('"seconds"', '"minutes"'),
    ],
)
def test_a_file_that_is_not_what_was_written_does_not_count(tmp_path: Path, spoiled: object) -> None:
    assert callable(spoiled)
    cache(tmp_path).judged(question(), lambda: verdict("failed"))
    (path,) = tmp_path.iterdir()
    before = path.read_text()
    after = spoiled(before)
    assert after != before
    path.write_text(after)
    assert cache(tmp_path).find(question()) is None


def test_by_default_nothing_outlives_the_process() -> None:
    assert Caches().mypy is None
    assert Caches().results is not Caches().results
