"""Verdicts kept by everything that they depend on, so that an unchanged tree is not judged twice.

A verdict is a function of the tree, the base, the configuration of the gates, the waivers, the tools, the coordinator
itself, the interpreter, the environment of the tests and how they were confined. `Question` names all of them; two
equal questions have the same answer, but for tests that are flaky: where a gate says that one was, nothing is kept.
Nor is it with an open network, on which an answer may depend, or where other programs took part than the tools that
are named here. A failed verdict is kept like a passed one. An ``error`` is about the check and not about the tree, and
never kept.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, JsonValue, ValidationError

import coordinator
from coordinator.gates.integrity.base_records import BaseRecords
from coordinator.gates.judgement import OTHER_TOOLS, State
from coordinator.gates.protocol import Verdict
from coordinator.models import Frozen
from coordinator.sandbox.protocol import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coordinator.configuration import Configuration
    from coordinator.gates.cache.kept_files import KeptFiles
    from coordinator.gates.integrity.findings import Waiver
    from coordinator.gates.protocol import GateResult

TOOLS = ("mypy", "ruff", "coverage", "pytest")
LASTING = frozenset({State.PASSED.value, State.FAILED.value, State.ATTENTION.value})
"""States that asking again would give again."""

OWN_GATES = frozenset({"build", "lint", "test", "coverage", "integrity"})
"""Those that use no other tools, unless a preset of another language has taken the name. A command may call anything
that the machine has."""

FLAKY = "flaky"
"""Key in a result's details under which a gate says what was retried; anything but nothing there is not kept."""
KEPT_AT = "kept_at"
"""Key in each result's details of a verdict that was not made now: when it was, ISO 8601."""


class Question(Frozen):
    """All that a verdict depends on."""

    tree: str
    base: str | None
    gates: JsonValue
    """The section of the configuration, every default included."""
    setup: tuple[str, ...] | None
    waivers: tuple[tuple[str, ...], ...]
    """Kind, what, and who said it."""
    network: str
    environment: str
    """Names the installed distributions."""
    confinement: str
    """What of the machine the tests can tell: whether they run as another uid, variables that are passed on …"""
    coordinator: str
    """Our version, and a stamp of our sources, which a development checkout changes."""
    python: str
    tools: dict[str, str]

    def digest(self) -> str:
        """Return the name under which its answer is kept."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class KeptVerdict(Frozen):
    """An answer on disk."""

    question: str
    """Digest of the question."""
    at: AwareDatetime
    verdict: Verdict


def ask(
    *,
    tree: str,
    base: str | None,
    configuration: Configuration,
    environment: str | None,
    confinement: str,
    waivers: Sequence[Waiver] = (),
) -> Question | None:
    """Return the question about a tree, with what this process knows of itself.

    `environment` is from `environment_stamp` or `early_stamp`. Without one, and with an open network, there is no
    question, as nobody could tell whether its answer still holds.
    """
    if environment is None or configuration.sandbox.network is Network.OPEN:
        return None
    return Question(
        tree=tree,
        base=base,
        gates=configuration.gates.model_dump(mode="json"),
        setup=configuration.setup,
        waivers=tuple(sorted((waiver.kind, waiver.what, waiver.by) for waiver in waivers)),
        network=configuration.sandbox.network.value,
        environment=environment,
        confinement=confinement,
        coordinator=f"{coordinator.__version__} {_own_sources()}",
        python=f"{sys.version} {Path(sys.executable).resolve()}",
        tools={name: importlib.metadata.version(name) for name in TOOLS},
    )


@cache
def _own_sources() -> str:
    """Return a stamp of our own modules: their names, sizes and times of change."""
    digest = hashlib.sha256()
    root = Path(coordinator.__file__).parent
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            status = Path(folder, name).stat()
            digest.update(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class ResultCache:
    """Remembers verdicts: those of this process always, those of earlier ones where there is a folder for them."""

    def __init__(
        self, files: KeptFiles | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`files` is where verdicts outlive the process; None where confined commands could write there as well."""
        self._files = files
        self._now = now
        self._known: dict[str, KeptVerdict] = {}

    @property
    def outlives_the_process(self) -> bool:
        """Whether verdicts are there for later processes."""
        return self._files is not None

    def judged(self, question: Question | None, judge: Callable[[], Verdict], *, anew: bool = False) -> Verdict:
        """Return the kept answer, marked as such, unless it is to be found `anew`; else what `judge` says, and keep it.

        None is a question whose answer is never kept.
        """
        if question is None:
            return judge()
        known = None if anew else self.find(question)
        return known or self.keep(question, judge())

    def find(self, question: Question) -> Verdict | None:
        """Return the kept answer to a question, its results marked with `KEPT_AT`; None when there is none."""
        name = question.digest()
        kept = self._known.get(name) or self._read(name)
        if kept is None or kept.question != name or not is_sound(kept.verdict, question.tree):
            return None
        return _marked(kept)

    def keep(self, question: Question, verdict: Verdict) -> Verdict:
        """Remember a verdict, if it is one that would be given again; returns it."""
        if is_sound(verdict, question.tree) and all(_is_lasting(result) for result in verdict.gates):
            kept = KeptVerdict(question=question.digest(), at=self._now(), verdict=verdict)
            self._known[kept.question] = kept
            if self._files is not None:
                self._files.write(f"{kept.question}.json", kept.model_dump_json().encode())
        return verdict

    def _read(self, name: str) -> KeptVerdict | None:
        data = self._files.read(f"{name}.json") if self._files is not None else None
        try:
            return None if data is None else KeptVerdict.model_validate_json(data)
        except ValidationError:
            return None


@dataclass(frozen=True, slots=True)
class Caches:
    """What the gates may use of earlier judgements, and leave for later ones. By default: what this process knows."""

    results: ResultCache = field(default_factory=ResultCache)
    mypy: Path | None = None
    """Folder of mypy's caches; None where confined commands could write into them."""
    confinement: str = ""
    """What the tests can tell of the machine, as a part of the question."""
    base_records: BaseRecords = field(default_factory=BaseRecords)
    """What the tests of a base said."""


def is_sound(verdict: Verdict, tree: str) -> bool:
    """Say whether a verdict is about this tree and agrees with the results it is made of."""
    return verdict.tree == tree and bool(verdict.gates) and verdict.passed == all(r.passed for r in verdict.gates)


def kept_at(verdict: Verdict) -> str:
    """Return when a kept verdict was made, ISO 8601; empty for one that was made now."""
    times = [result.details.get(KEPT_AT) for result in verdict.gates]
    return next((time for time in times if isinstance(time, str)), "")


def _is_lasting(result: GateResult) -> bool:
    state, retried = result.details.get("state"), result.details.get(FLAKY)
    own = result.gate in OWN_GATES and not result.details.get(OTHER_TOOLS)
    return own and state in LASTING and not retried


def _marked(kept: KeptVerdict) -> Verdict:
    mark: dict[str, JsonValue] = {KEPT_AT: kept.at.isoformat(timespec="seconds")}
    results = tuple(result.model_copy(update={"details": {**result.details, **mark}}) for result in kept.verdict.gates)
    return kept.verdict.model_copy(update={"gates": results})
