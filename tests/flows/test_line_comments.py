"""Findings on the lines of a pull request: each once, removed when mended, never in the way of a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import CoordinatorError, Misconfigured
from coordinator.flows.line_comments import MOST, LineComments
from coordinator.forge.local import LocalForge
from coordinator.forge.models import Account, LineComment, LineNote
from coordinator.gates.protocol import GateResult, Verdict
from coordinator.workspace.objects import TrustedRepository
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pydantic import JsonValue

START = "".join(f"line {number}\n" for number in range(1, 31))
SOMEBODY = Account(id=77, login="somebody")


class Forge(LocalForge):
    """The local forge, on which others take part too, and which can refuse."""

    authors: dict[int, Account]
    answered: set[int]
    refusal: CoordinatorError | None

    def line_comments(self, number: int) -> tuple[LineComment, ...]:
        if self.refusal is not None:
            raise self.refusal
        return tuple(
            one.model_copy(update={"author": self.authors.get(one.id, one.author), "answered": one.id in self.answered})
            for one in super().line_comments(number)
        )


@dataclass
class Ground:
    """A repository with a pull request that changes ``a.py``, and the comments on it."""

    folder: Path
    warned: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_repository(self.folder, {"a.py": START, "b.py": "old\n"})
        self.base = git(self.folder, "rev-parse", "HEAD")
        git(self.folder, "switch", "--quiet", "--create", "work")
        self.head = commit_files(self.folder, {"a.py": START + "".join(f"new {number}\n" for number in range(30))})
        self.forge = Forge.of(self.folder)
        self.forge.authors, self.forge.answered, self.forge.refusal = {}, set(), None
        pull = self.forge.create_pull_request(head="work", base="main", title="T", body="", draft=True)
        self.number = pull.number
        self.comments = LineComments(self.forge, self.number, str, self.warned.append)

    def show(self, *messages: str, lines: Sequence[int] = (), path: str = "a.py", newest: bool = False) -> None:
        """Show a verdict that finds these on added lines, one after the other."""
        where = lines or range(31, 31 + len(messages))
        found: list[JsonValue] = [
            {"path": path, "line": line, "column": 0, "code": "E1", "message": message}
            for line, message in zip(where, messages, strict=True)
        ]
        result = GateResult(gate="lint", passed=not found, message="x", details={"findings": found}, seconds=0)
        verdict = Verdict(passed=not found, tree="t", gates=(result,))
        repository = TrustedRepository.discover(self.folder)
        self.comments.show(verdict, repository, self.base, self.head, only_if_newest=newest)

    @property
    def shown(self) -> list[tuple[int, str]]:
        """Id and first words of each comment."""
        self.forge.refusal = None
        found = self.forge.line_comments(self.number)
        return [(one.id, one.body.partition("\n")[0].rpartition(" ")[2]) for one in found]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "repository")


def words(shown: Iterable[tuple[int, str]]) -> list[str]:
    return [word for _, word in shown]


def test_each_finding_is_shown_once_and_goes_when_it_is_mended(ground: Ground) -> None:
    ground.show("one", "two")
    before = ground.shown
    assert words(before) == ["one", "two"]
    ground.show("one", "two")
    assert ground.shown == before
    ground.show("two", "three", lines=(40, 41))
    assert ground.shown == [before[1], (3, "three")]
    ground.show()
    assert ground.shown == []
    assert ground.warned == []


def test_lines_that_were_there_before_are_left_alone(ground: Ground) -> None:
    ground.show("old", lines=(3,))
    ground.show("unchanged file", lines=(1,), path="b.py")
    ground.show("no file", lines=(1,), path="gone.py")
    ground.show("no such line", lines=(500,))
    assert ground.shown == []


def test_there_are_never_more_than_some(ground: Ground) -> None:
    ground.show(*(f"m{number}" for number in range(MOST + 5)))
    assert words(ground.shown) == [f"m{number}" for number in range(MOST)]
    ground.show(*(f"m{number}" for number in range(5, MOST + 5)))
    assert words(ground.shown) == [f"m{number}" for number in range(5, MOST + 5)]


def test_what_others_wrote_is_theirs_also_with_a_mark(ground: Ground) -> None:
    ground.show("one")
    ground.forge.authors[1] = SOMEBODY
    ground.show("one")
    assert words(ground.shown) == ["one", "one"]
    ground.show()
    assert [one.author for one in ground.forge.line_comments(ground.number)] == [SOMEBODY]


def test_a_comment_of_ours_without_a_mark_stays(ground: Ground) -> None:
    ground.show("one")
    (note,) = ground.forge.line_comments(ground.number)
    plain = [_note("a word to the reviewers"), _note(f"{note.body}\nand more")]
    ground.forge.comment_on_lines(ground.number, ground.head, plain)
    ground.show()
    assert len(ground.shown) == 2


def test_a_conversation_is_left_to_those_who_have_it(ground: Ground) -> None:
    ground.show("one", "two")
    ground.forge.answered = {1}
    ground.show()
    assert words(ground.shown) == ["one"]
    ground.show("one")
    assert words(ground.shown) == ["one"]


def test_doubles_are_cleared_away(ground: Ground) -> None:
    ground.show("one")
    (first,) = ground.forge.line_comments(ground.number)
    ground.forge.comment_on_lines(ground.number, ground.head, [_note(first.body)])
    ground.show("one")
    assert ground.shown == [(1, "one")]


def test_a_forge_that_refuses_costs_a_warning(ground: Ground) -> None:
    ground.forge.refusal = Misconfigured("it may not", mend="Let it")
    ground.show("one")
    assert ground.warned == ["the findings could not be shown on their lines: it may not. Let it."]
    assert ground.shown == []


def test_an_older_push_has_no_say_any_more(ground: Ground) -> None:
    ground.show("one", newest=True)
    assert words(ground.shown) == ["one"]
    commit_files(ground.folder, {"b.py": "new\n"})
    ground.show(newest=True)
    assert words(ground.shown) == ["one"]


def _note(body: str) -> LineNote:
    return LineNote(path="a.py", line=31, body=body)
