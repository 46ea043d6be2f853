from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from coordinator.doctor.examining import Examination, NotKnown, Once, examine
from coordinator.doctor.models import Check, Finding, Group, State, bad, doubtful, good
from coordinator.errors import Misconfigured, Unreachable
from coordinator.signals import Terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def examined(*looks: Callable[[], Iterable[Finding]]) -> list[Check]:
    return list(examine(Examination(Group.SERVER, f"look {number}", look) for number, look in enumerate(looks)))


def test_findings_become_checks_of_the_name_that_was_looked_at() -> None:
    checks = examined(
        lambda: [good("fine")], lambda: [doubtful("odd", "turn it"), bad("broken", "mend it", name="own")]
    )
    assert [(one.group, one.name, one.state, one.message, one.mend) for one in checks] == [
        ("server", "look 0", "ok", "fine", ""),
        ("server", "look 1", "warning", "odd", "turn it"),
        ("server", "own", "error", "broken", "mend it"),
    ]


def test_a_failure_is_an_error_with_its_mend_and_the_others_go_on() -> None:
    def look() -> Iterator[Finding]:
        yield good("before")
        raise Unreachable("the server is down", mend="Start it")

    checks = examined(look, lambda: [good("after")])
    assert [(one.state, one.message, one.mend) for one in checks] == [
        (State.OK, "before", ""),
        (State.ERROR, "the server is down", "Start it"),
        (State.OK, "after", ""),
    ]


def test_a_fault_of_a_check_names_itself_and_its_place_and_not_its_text() -> None:
    def look() -> Iterator[Finding]:
        table: dict[str, str] = {}
        yield from Once("x", lambda: [good(table["secret"])]).find()

    first, second = examined(look, lambda: [good("after")])
    assert (first.name, first.state) == ("look 0", State.ERROR)
    assert re.fullmatch(r"the check itself failed: KeyError in examining\.py:\d+", first.message)
    assert "secret" not in first.message
    assert second.state is State.OK


def test_what_misses_something_is_a_warning_that_names_it() -> None:
    def refuse() -> str:
        raise Misconfigured("no such repository", mend="Make it")

    repository = Once("the repository", refuse)
    branch = Once("the branch", lambda: f"{repository.needed()}/main")
    checks = examined(lambda: [good(branch.needed())], lambda: [good(repository.find())], lambda: [good(branch.find())])
    missing = "not checked, because the repository is not known"
    assert [(one.state, one.message) for one in checks] == [
        (State.WARNING, missing),
        (State.ERROR, "no such repository"),
        (State.WARNING, missing),
    ]


def test_a_thing_is_looked_for_once_whatever_comes_out() -> None:
    asked: list[str] = []

    def look() -> None:
        asked.append("value")

    def refuse() -> None:
        asked.append("failure")
        raise Misconfigured("no", mend="Yes")

    value, failure = Once("a", look), Once("b", refuse)
    for _ in range(2):
        value.find()
        with pytest.raises(Misconfigured):
            failure.find()
        with pytest.raises(NotKnown, match=r"^b$"):
            failure.needed()
    assert asked == ["value", "failure"]


@pytest.mark.parametrize("ending", [KeyboardInterrupt, Terminated])
def test_the_end_of_the_process_is_no_finding(ending: type[BaseException]) -> None:
    def end() -> list[Finding]:
        raise ending

    with pytest.raises(ending):
        examined(end)
    with pytest.raises(ending):
        Once("a", end).needed()
