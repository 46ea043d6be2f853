"""The inventory: every test that passed on the base has to pass on the head.

One that fails is the test gate's business. This is about those that say nothing any more: gone or left out, skipped,
expected to fail, or run with fewer parameters.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from coordinator.errors import Unreachable
from coordinator.gates.evidence import counted
from coordinator.gates.integrity.findings import PolicyFinding, Severity, attention
from coordinator.gates.integrity.test_bodies import Body, bodies_of
from coordinator.gates.integrity.test_ids import Group, file_of, function_of, grouped
from coordinator.gates.judgement import NotFinished

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from coordinator.gates.integrity.base_records import BaseRecord
    from coordinator.gates.once import Once
    from coordinator.gates.python.pytest_run import RunOutcome
    from coordinator.gates.tree import JudgedTree

    Look = Callable[[Path, str], Mapping[str, Body]]
    """Returns the functions of a file, parsed once."""

REMOVAL, PARAMETERS, SKIP, XFAIL, RENAMED, UNKNOWN = (
    "test-removal", "test-parameters", "test-skip", "test-xfail", "test-renamed", "test-inventory",
)  # fmt: skip

FINISHED = frozenset({0, 1, 5})
"""Exit codes of a pytest that collected all tests (its reference page)."""

SILENCED = {"skipped": (SKIP, "skipped"), "xfailed": (XFAIL, "expected to fail")}


@dataclass(frozen=True, slots=True)
class Inventory:
    """Compares what the base's tests and the head's tests said."""

    name: ClassVar[str] = "inventory"
    tree: JudgedTree
    base: Path
    run: Once[RunOutcome]
    record: Callable[[], BaseRecord]
    """Returns what the base's own tests said."""

    def find(self) -> Sequence[PolicyFinding]:
        """Return one finding for each file or function whose tests are silent now.

        Raises what `finished` raises.
        """
        outcome = finished(self.run.get())
        record = self.record()
        if record.fault:
            return (_unknown(record.fault),)
        passed, now = record.having("passed"), outcome.outcomes()
        look = cache(bodies_of)
        gone = {test for test in passed if test not in now}
        renamed = dict(self._renamed(gone, now, record.outcomes, look))
        found = [_renamed_note(old, new) for old, new in sorted(renamed.items())]
        found += self._silent(passed, now, look)
        gone = {test for test in gone if function_of(test) not in renamed}
        still = {function_of(test) for test in now}
        found += [_gone(group, there=group.what in still) for group in grouped(gone, passed)]
        return found

    def _silent(self, passed: Collection[str], now: Mapping[str, str], look: Look) -> Iterator[PolicyFinding]:
        for word, (kind, said) in SILENCED.items():
            tests = {test for test in passed if now.get(test) == word}
            for group in grouped(tests, passed):
                body = _body(look, self.tree.reading, group.what)
                message = f"{group.named()} passed on the base and {_is(group)} {said} now: let it run and pass again."
                yield attention(kind, group.what, message, path=group.path, line=body.line if body else 0)

    def _renamed(
        self, gone: Collection[str], now: Mapping[str, str], before: Collection[str], look: Look
    ) -> Iterator[tuple[str, str]]:
        """Yield pairs of functions, old and new: the same body, and as many passing tests as it had."""
        fresh: dict[str, int] = defaultdict(int)
        for test, word in now.items():
            fresh[function_of(test)] += test not in before and word == "passed"
        homes: dict[str, list[str]] = defaultdict(list)
        for function in sorted(each for each, count in fresh.items() if count):
            body = _body(look, self.tree.reading, function)
            homes[body.content if body else ""].append(function)
        still = {function_of(test) for test in now}
        for group in (part for part in _functions(gone) if part.what not in still):
            body = _body(look, self.base, group.what)
            there = homes[body.content] if body else []
            fitting = [name for name in there if fresh[name] >= len(group.tests)]
            if fitting:
                there.remove(fitting[0])
                yield group.what, fitting[0]


def _body(look: Look, folder: Path, function: str) -> Body | None:
    path, _, name = function.partition("::")
    return look(folder, path).get(name)


def finished(outcome: RunOutcome) -> RunOutcome:
    """Return the outcome of a run in which every test had its say.

    Raises `NotFinished` for one that ended early on purpose, and `Unreachable` for any other.
    """
    if outcome.cut:
        raise NotFinished(
            "stopped after test failed; the tests that were left out cannot be compared with the base's",
            mend="Mend what the test gate says first",
        )
    if outcome.report is None or outcome.result.exit_code not in FINISHED:
        raise Unreachable(
            "The tests did not come to their end, so they cannot be compared with the base's",
            mend="Mend what the test gate says first",
        )
    return outcome


def _functions(tests: Collection[str]) -> Iterator[Group]:
    found: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        found[function_of(test)].append(test)
    for function, these in sorted(found.items()):
        yield Group(function, tuple(sorted(these)), whole=True)


def _gone(group: Group, *, there: bool) -> PolicyFinding:
    if there:
        message = f"{group.what} runs without {counted(len(group.tests), 'case')} that passed on the base: "
        return attention(PARAMETERS, group.what, f"{message}{group.named()}. Put them back.", path=group.path)
    message = f"{group.named()} passed on the base and {_is(group)} gone or left out now: put it back."
    return attention(REMOVAL, group.what, message, path=group.path)


def _renamed_note(old: str, new: str) -> PolicyFinding:
    message = f"{old} is {new} now, with the same body."
    return PolicyFinding(kind=RENAMED, what=old, path=file_of(new), line=0, message=message, severity=Severity.NOTE)


def _unknown(fault: str) -> PolicyFinding:
    message = f"The base's own tests do not come to their end ({fault}), so no test could be missed."
    return PolicyFinding(kind=UNKNOWN, what="base", path="", line=0, message=message, severity=Severity.NOTE)


def _is(group: Group) -> str:
    return "is" if len(group.tests) == 1 else "are"
